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
    """Does to its process what the text says, as the real library does it over some texts."""

    def __init__(self):
        self.texts = 0

    def select(self, language):
        if language == "xx":
            raise EspeakError("espeak-ng has no language 'xx'")

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


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGFPE, signal.SIGBUS])
def test_a_text_that_ends_the_reader_is_an_error_and_the_next_finds_a_new_one(process, number):
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


def test_an_unknown_language_is_its_error(process):
    with pytest.raises(EspeakError, match="'xx'"):
        process.trace(b"a", "xx")


def test_a_text_over_the_bound_is_refused(process):
    with pytest.raises(ValueError, match=f"limit {MAX_MESSAGE_BYTES}"):
        process.trace(b"a" * MAX_MESSAGE_BYTES, "en")
    assert "1 texts, a" == process.trace(b"a", "en")


def test_signals_to_the_whole_group_do_not_end_it(process):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        for each in family_of(process):
            each.send_signal(number)

    assert "1 texts, a" == process.trace(b"a", "en")


def test_it_has_no_descriptor_of_the_asking_process():
    with socket.create_server(("127.0.0.1", 0)), open(os.devnull):
        process = EspeakProcess(ScriptedLibrary())
        descriptors = process.trace(b"descriptors", "en").split()
        process.close()

    assert 5 == len(descriptors)  # the standard three, the connection, and the folder that is listed


def test_a_reader_that_ends_with_nothing_to_do_is_replaced_and_answers_stay_with_their_questions(process):
    for number in range(20):
        process.trace(b"a", "en")
        reader = family_of(process)[1]
        reader.kill()
        reader.wait()

        assert f"1 texts, {number}" == process.trace(str(number).encode(), "en")
        assert "2 texts, c" == process.trace(b"c", "en")


def test_answers_stay_with_their_questions_whenever_the_reader_ends(process):
    """Killed at any moment, a question is answered, or said to have ended the reader, and never by the answer to another."""
    over = threading.Event()

    def kill():
        while not over.wait(0.0005):
            for each in family_of(process)[1:]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        number = ended = 0
        # On a busy machine the first 3000 questions may all be answered before a reader is killed.
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


def test_children_that_do_not_answer_are_taken_for_lost():
    process = EspeakProcess(ScriptedLibrary(), timeout_s=60.0, lost_after_s=0.05)
    family = family_of(process)
    try:
        with pytest.raises(TimeoutError):
            process.trace(b"loop", "en")
    finally:
        for each in psutil.Process(family[0].pid).children():
            each.kill()
        process.close()


def test_closing_it_leaves_no_process(process):
    process.trace(b"a", "en")
    family = family_of(process)

    process.close()

    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_without_its_processes_it_says_so(process):
    process.trace(b"a", "en")
    for each in family_of(process):
        each.kill()

    with pytest.raises(ConnectionError):
        process.trace(b"a", "en")


def test_it_ends_with_the_asking_process_however_that_ends():
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
