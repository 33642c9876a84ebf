"""chorus top with a real server: under load, while every worker hangs, and when workers or the server end."""

import os
import pty
import re
import select
import signal
import subprocess
import termios
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.cli.running import CHORUS, chorus
from tests.conftest import ROOT


def rows(text):
    """Return the columns of each worker's line, by pid."""
    found = (line.split() for line in text.splitlines() if re.match(r" *\d+ +\d+ +(ready|starting|draining)", line))
    return {int(words[1]): words for words in found}


def pids(server):
    return {worker.pid for worker in server.workers()}


class Terminal:
    """The command on a terminal of 80 columns, with its screen and keyboard."""

    def __init__(self, *words):
        self._ours, self._theirs = pty.openpty()
        self.before = self.settings()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), self._theirs)
        self.process = subprocess.Popen([*CHORUS, "top", *map(str, words)], cwd=ROOT, env=environment, **streams)
        self._seen = b""

    @property
    def text(self):
        """All text shown so far, without control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw)

    @property
    def raw(self):
        while select.select([self._ours], [], [], 0)[0]:
            self._seen += os.read(self._ours, 65536)
        return self._seen.decode(errors="replace")

    def press(self, key):
        os.write(self._ours, key.encode())

    def settings(self):
        return termios.tcgetattr(self._theirs)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def two(start):
    """A server of two workers."""
    return start("--workers", "2").ready()


@pytest.fixture
def terminal(two):
    """The command on a terminal, watching that server."""
    watching = Terminal("--pid", two.process.pid, "--interval", "0.1")
    two.eventually(lambda: "Ctrl-C" in watching.text)
    yield watching
    watching.close()


def ended(terminal, server):
    """Wait for the end of the command; check that the terminal was restored, and return the status."""
    server.eventually(lambda: terminal.text and terminal.process.poll() is not None)
    assert terminal.before == terminal.settings()
    assert "\x1b[?1049l" in terminal.raw
    return terminal.process.returncode


def test_once_without_a_terminal_prints_every_worker_and_the_totals(two):
    two.speak("Hello there.")
    done = chorus("top", "--once", "--interval", "0.1", "--pid", two.process.pid)

    assert 0 == done.returncode, done.stderr
    assert pids(two) == set(rows(done.stdout))
    assert re.search(r"request +p50 <= [\d.]+ s .* of 1, since start", done.stdout)
    assert "\x1b" not in done.stdout


def test_workers_that_all_hang_are_shown(two):
    for worker in two.workers():
        worker.send_signal(signal.SIGSTOP)
    try:
        done = chorus("top", "--once", "--interval", "0.1", "--pid", two.process.pid)
    finally:
        for worker in two.workers():
            worker.send_signal(signal.SIGCONT)

    assert 0 == done.returncode, done.stderr
    assert pids(two) == set(rows(done.stdout))


def test_running_speech_is_shown_and_q_restores_the_terminal(two, terminal):
    with ThreadPoolExecutor(1) as pool:
        speech = pool.submit(two.speak, "The quick brown fox jumps over the lazy dog. " * 40)
        two.eventually(lambda: re.search(r"ready +1 +\d+ +1/0/1/0 +[\d.]+/\d+ ", terminal.text))
        assert 200 == speech.result().status
    two.eventually(lambda: re.search(r"audio (?!0\.0)[\d.]+ s/s", terminal.text))
    terminal.press("q")

    assert 0 == ended(terminal, two)


def test_ctrl_c_restores_the_terminal(two, terminal):
    terminal.press("\x03")

    assert 0 == ended(terminal, two)


def test_the_replacement_of_a_killed_worker_is_the_next_generation_of_its_slot(start):
    server = start("--workers", "2", expected_deaths=1).ready()
    victim = min(pids(server))
    slot = rows(chorus("top", "--once", "--interval", "0.1", "--pid", server.process.pid).stdout)[victim][0]
    os.kill(victim, signal.SIGKILL)
    server.eventually(lambda: victim not in pids(server) and len(pids(server)) == 2)
    done = chorus("top", "--once", "--interval", "0.1", "--pid", server.process.pid)

    assert {slot: "2"} == {words[0]: words[3] for words in rows(done.stdout).values() if words[0] == slot}
    assert "workers ended 1 killed" in done.stdout


def test_the_end_of_the_watched_server_is_reported(two, terminal):
    two.stop()

    assert 0 == ended(terminal, two)
    assert f"the server of master {two.process.pid} has ended" in terminal.text
