"""chorus wyoming: its options, each problem in one line; tests/serving speaks with it."""

import signal
import socket

import pytest

from tests.app.cli.running import TIMEOUT_S, chorus, start
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--uri", "10200"], "expected tcp://HOST:PORT, found '10200'"),
        (["--uri", "tcp://host"], "expected tcp://HOST:PORT, with a port from 0 to 65535, found 'tcp://host'"),
        (["--uri", "tcp://host:99999"], "with a port from 0 to 65535"),
        (["--uri", "tcp://[::1:5"], "found 'tcp://[::1:5'"),
        (["--websocket", "8001"], "expected HOST:PORT, with a port from 0 to 65535, found '8001'"),
        (["--server", "127.0.0.1:8080"], "expected http://HOST:PORT or unix:/PATH of a Chorus server, found '127.0.0.1:8080'"),
        (["--server", "http://host:8080/v1"], "found 'http://host:8080/v1'"),
        (["--server", "http://host:port"], "found 'http://host:port'"),
        (["--speed", "9"], "0.25<=x<=4"),
        (["--speed", "nan"], "expected a number, found nan"),
        (["--seed", "-1"], "-1"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_64(words, line):
    done = chorus("wyoming", *words)

    assert (64, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))
    assert line in done.stderr and done.stderr.endswith("see chorus wyoming --help\n")


def test_an_address_in_use_is_one_line_and_status_69():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words in (["--uri", f"tcp://127.0.0.1:{port}"], ["--uri", "tcp://127.0.0.1:0", "--websocket", f"127.0.0.1:{port}"]):
            done = chorus("wyoming", *words)
            last = done.stderr.splitlines()[-1]

            assert 69 == done.returncode
            assert last.startswith(f"chorus: cannot listen on 127.0.0.1:{port}: ")
            assert last.endswith(f"; choose another address with {words[-2]}")


def test_a_host_that_is_not_here_is_one_line():
    done = chorus("wyoming", "--uri", "tcp://203.0.113.7:10200")

    assert 69 == done.returncode and done.stderr.startswith("chorus: cannot listen on 203.0.113.7:10200: ")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"two words", b"x" * 5_000])
def test_a_file_without_a_key_is_one_line_and_status_66(tmp_path, content):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)

    done = chorus("wyoming", "--uri", "tcp://127.0.0.1:0", "--api-key-file", path)

    assert (66, 1) == (done.returncode, done.stderr.count("\n"))
    assert done.stderr.startswith(f"chorus: {path}: ") and "`chorus key` makes one" in done.stderr


def test_zeroconf_on_loopback_says_what_to_do():
    done = chorus("wyoming", "--uri", "tcp://127.0.0.1:0", "--zeroconf")

    assert 69 == done.returncode
    assert "chorus: --zeroconf is for other machines, which cannot reach 127.0.0.1" in done.stderr


def test_ctrl_c_ends_it_with_0(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = start("wyoming", "--uri", "tcp://127.0.0.1:0", stdout=log, stderr=log)
        until(lambda: b"gateway.ready" in (tmp_path / "log").read_bytes())
        process.send_signal(signal.SIGINT)

        assert 0 == process.wait(TIMEOUT_S)
    assert b"event=gateway.ended" in (tmp_path / "log").read_bytes()
