"""loader.text.espeak_process: texts, signals and exits that end its processes."""

import contextlib
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from loader.text.espeak_library import EspeakError
from loader.text.espeak_process import MAX_MESSAGE_BYTES, EspeakProcess, ReaderEndedError
from tests.loader.children import answer_of


class ScriptedLibrary:
    """Does to its process what the text says, as the real library does with some texts."""

    data_descriptor = None

    def __init__(self):
        self.texts = 0

    def select(self, language):
        if language == "xx":
            raise EspeakError("espeak-ng has no language 'xx'")

    def clauses(self, text):
        return b"%d clauses" % len(text.split(b","))

    def trace(self, text):
        self.texts += 1
        if text == b"loop":
            while True:
                pass
        if text.startswith(b"signal "):
            os.kill(os.getpid(), int(text.split()[1]))
        if text == b"descriptors":
            return b" ".join(sorted(name.encode() for name in os.listdir("/proc/self/fd")))
        return b"%d texts, %b" % (self.texts, text)


@pytest.fixture
def process():
    made = EspeakProcess(ScriptedLibrary(), timeout_s=0.2, lost_after_s=5.0)
    yield made
    made.close()


def family_of(process):
    keeper = psutil.Process(process._keeper_pid)
    return [keeper, *keeper.children()]


def test_texts_are_answered_in_order(process):
    assert ["1 texts, a", "2 texts, b"] == [process.trace(text, "en") for text in (b"a", b"b")]


def test_a_text_is_traced_or_read_in_clauses(process):
    assert ["1 texts, a", "2 clauses", "2 texts, b"] == [
        process.trace(b"a", "en"), process.clauses(b"a,b", "en"), process.trace(b"b", "en"),
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGFPE, signal.SIGBUS])
def test_a_text_that_crashes_the_reader_is_an_error_and_the_next_text_has_a_new_reader(process, number):
    for _ in range(3):
        process.trace(b"a", "en")
        with pytest.raises(ReaderEndedError) as caught:
            process.trace(b"signal %d" % number, "en")

        assert number == caught.value.signal_number
        assert "1 texts, b" == process.trace(b"b", "en")


def test_a_text_that_takes_too_long_ends_the_reader(process):
    with pytest.raises(ReaderEndedError) as caught:
        process.trace(b"loop", "en")

    assert signal.SIGPROF == caught.value.signal_number
    assert "1 texts, b" == process.trace(b"b", "en")


def test_an_unknown_language_is_an_error_and_keeps_the_reader(process):
    with pytest.raises(EspeakError, match="'xx'"):
        process.trace(b"a", "xx")


def test_a_text_above_the_limit_is_refused(process):
    with pytest.raises(ValueError, match=f"limit {MAX_MESSAGE_BYTES}"):
        process.trace(b"a" * MAX_MESSAGE_BYTES, "en")
    assert "1 texts, a" == process.trace(b"a", "en")


def test_signals_to_the_process_group_do_not_end_the_reader(process):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        for each in family_of(process):
            each.send_signal(number)

    assert "1 texts, a" == process.trace(b"a", "en")


def test_the_reader_inherits_no_descriptor():
    with socket.create_server(("127.0.0.1", 0)), open(os.devnull):
        process = EspeakProcess(ScriptedLibrary())
        descriptors = process.trace(b"descriptors", "en").split()
        process.close()

    assert 5 == len(descriptors)  # standard streams, the connection, and the listed folder


def test_an_idle_reader_that_is_killed_is_replaced_and_answers_match_their_requests(process):
    for number in range(20):
        process.trace(b"a", "en")
        reader = family_of(process)[1]
        reader.kill()
        reader.wait()

        assert f"1 texts, {number}" == process.trace(str(number).encode(), "en")
        assert "2 texts, c" == process.trace(b"c", "en")


def test_answers_match_their_requests_whenever_the_reader_is_killed(process):
    """A request during a kill is answered, or raises `ReaderEndedError`, and never gets the answer of another request."""
    over = threading.Event()

    def kill():
        while not over.wait(0.0005):
            for each in family_of(process)[1:]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        number = ended = 0
        # On a busy machine all of the first 3000 requests may be answered before a reader is killed.
        while number < 3000 or not ended and number < 300_000:
            number += 1
            try:
                assert process.trace(str(number).encode(), "en").endswith(f", {number}")
            except ReaderEndedError:
                ended += 1
        over.set()
        killing.result()

    assert "after" == process.trace(b"after", "en").split(", ")[1]
    assert ended > 0


def test_processes_that_do_not_answer_are_replaced():
    process = EspeakProcess(ScriptedLibrary(), timeout_s=60.0, lost_after_s=0.05)
    family = family_of(process)
    try:
        with pytest.raises(TimeoutError):
            process.trace(b"loop", "en")
    finally:
        for each in psutil.Process(family[0].pid).children():
            each.kill()
        process.close()


def test_close_leaves_no_process(process):
    process.trace(b"a", "en")
    family = family_of(process)

    process.close()

    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_without_its_processes_it_raises(process):
    process.trace(b"a", "en")
    for each in family_of(process):
        each.kill()

    with pytest.raises(ConnectionError):
        process.trace(b"a", "en")


def test_the_processes_end_with_their_parent_however_it_ends():
    pids = answer_of(
        """
        import json, os, psutil, signal
        from loader.text.espeak import Espeak

        pid_read, pid_write = os.pipe()
        if os.fork() == 0:
            Espeak().phonemize("Hello", "en-us")
            os.write(pid_write, json.dumps([each.pid for each in psutil.Process().children(recursive=True)]).encode())
            signal.pause()
        pids = json.loads(os.read(pid_read, 1000))
        child = psutil.Process().children()[0]
        child.kill()
        os.waitpid(child.pid, 0)
        psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=30)
        left = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        print(json.dumps([len(pids), left]))
        """
    )

    assert [2, []] == pids
