"""espeak-ng in a process of its own: a text that ends it costs a few milliseconds and nothing else.

Three processes: this one asks; a *keeper*, forked from it, holds the library as it was before any
text and forks a *reader* whenever there is none; the reader answers until a text ends it. All
talk over one pair of sockets, a message a question and a message an answer, each with the number of
its question: a reader may also end while it has nothing to do, or after it has answered. Both
children end when the asking process has closed its socket, by whatever it ended.
"""

import faulthandler
import gc
import mmap
import os
import resource
import signal
import socket
import struct
import warnings
from contextlib import suppress

from loader.text.espeak_library import EspeakError, EspeakLibrary

#: One text may take so much processor time. A sentence takes 0.1 to 1 ms, one of several clauses up to 60 ms (2026-11-30).
READ_TIMEOUT_S = 2.0
#: And so much time by the clock, after which the children are taken for lost.
LOST_AFTER_S = 20.0
#: The longest message. The longest piece that a voice reads is 320 characters, whose phonemes take some 10 kB.
MAX_MESSAGE_BYTES = 128 * 1024

# The first byte of an answer, after its number.
_PHONEMES, _NO_LANGUAGE, _ENDED = b"p", b"l", b"e"
_NUMBER = struct.Struct("=Q")
#: The number that stands for no question.
_IDLE = 0
#: The end of the asking process ends the children; a signal to its whole process group or control group must not.
_IGNORED_SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
)  # fmt: skip


class ReaderEndedError(Exception):
    """The text ended the process that read it. The next text finds a new one."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"the reading process ended by signal {signal_number}")
        #: SIGABRT if the C library found an overflow, SIGSEGV, or SIGPROF if the text took too long; 0 if it exited.
        self.signal_number = signal_number


class EspeakProcess:
    """The asking side. Used by one thread at a time, in the process that made it.

    Best made soon after the fork, while the process has one thread and a small heap: the keeper
    keeps alive the pages that were there when it was forked.
    """

    def __init__(self, library: EspeakLibrary, timeout_s: float = READ_TIMEOUT_S, lost_after_s: float = LOST_AFTER_S) -> None:
        """Fork the keeper.

        Args:
            library: opened, and not yet used to read.
            timeout_s: how much processor time one text may take.
            lost_after_s: how long an answer is waited for.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        self.owner_pid = os.getpid()
        self._number = _IDLE
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(lost_after_s)
        try:
            with theirs, warnings.catch_warnings():
                # Python 3.12 warns of every fork beside threads. The child calls into the library and nothing else.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._keeper_pid = os.fork()
                if self._keeper_pid == 0:
                    theirs.settimeout(None)
                    _keep(library, theirs, timeout_s)
        except OSError:
            self._socket.close()
            raise

    def trace(self, text: bytes, language: str) -> str:
        """Return one line of phonemes for every clause of `text`.

        Raises:
            ReaderEndedError: the text ended the reader, or took too long.
            EspeakError: espeak-ng has no such language.
            ConnectionError, TimeoutError: the children are gone, or do not answer.
            ValueError: the text is longer than MAX_MESSAGE_BYTES.
        """
        self._number += 1
        message = _NUMBER.pack(self._number) + language.encode() + b"\0" + text
        if len(message) > MAX_MESSAGE_BYTES:
            raise ValueError(f"the text has {len(text)} bytes, at most {MAX_MESSAGE_BYTES} can be read at once")
        self._socket.send(message)
        kind, content = self._answer()
        if kind == _ENDED:
            raise ReaderEndedError(content[0])
        if kind == _NO_LANGUAGE:
            raise EspeakError(content.decode())
        return content.decode("utf-8", "replace")

    def _answer(self) -> tuple[bytes, bytes]:
        """Return the answer to the last question. There may be two to the one before: its reader answered, and ended."""
        while answer := self._socket.recv(MAX_MESSAGE_BYTES):
            if _NUMBER.unpack_from(answer)[0] == self._number:
                return answer[_NUMBER.size : _NUMBER.size + 1], answer[_NUMBER.size + 1 :]
        raise ConnectionResetError("the processes that read with espeak-ng are gone")

    def close(self) -> None:
        """End the children and wait for them."""
        self._socket.close()
        if self.owner_pid == os.getpid():
            with suppress(ChildProcessError):
                os.waitpid(self._keeper_pid, 0)


def _keep(library: EspeakLibrary, connection: socket.socket, timeout_s: float) -> None:
    """Have a reader for as long as the asking process lives. Runs in the keeper and never returns."""
    try:
        _become_small_and_deaf(connection)
        # The number of the question that the reader works on: it cannot tell any more once it has ended.
        working_on = mmap.mmap(-1, _NUMBER.size)
        while True:
            _NUMBER.pack_into(working_on, 0, _IDLE)
            pid = os.fork()
            if pid == 0:
                _read_on(library, connection, working_on, timeout_s)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status == 0:
                break
            if (number := _NUMBER.unpack_from(working_on)[0]) != _IDLE:
                connection.send(_NUMBER.pack(number) + _ENDED + bytes([max(0, -status)]))
    except OSError:
        pass  # the asking process is gone, or no process can be had: it finds the socket closed
    finally:
        os._exit(0)


def _become_small_and_deaf(connection: socket.socket) -> None:
    """Hold no descriptor of the asking process but the connection, and end with that process only."""
    gc.disable()
    faulthandler.disable()
    signal.set_wakeup_fd(-1)
    for number in _IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGCHLD, signal.SIGABRT, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    # What ends a reader is reported by its status. The C library would also write a line, and a dump has the text in it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != connection.fileno():
            with suppress(OSError):  # the one that the folder was read by is closed already
                os.close(descriptor)


def _read_on(library: EspeakLibrary, connection: socket.socket, working_on: mmap.mmap, timeout_s: float) -> None:
    """Answer until the asking process closes its socket, or a text ends this process. Never returns."""
    try:
        # The question stays in the socket until its number is noted: without one, or with it twice, it is not lost.
        while beginning := connection.recv(_NUMBER.size, socket.MSG_PEEK):
            working_on[:] = beginning
            language, _, text = connection.recv(MAX_MESSAGE_BYTES)[_NUMBER.size :].partition(b"\0")
            signal.setitimer(signal.ITIMER_PROF, timeout_s)
            connection.send((beginning + _answer(library, language.decode(), text))[:MAX_MESSAGE_BYTES])
            signal.setitimer(signal.ITIMER_PROF, 0)
            _NUMBER.pack_into(working_on, 0, _IDLE)
        os._exit(0)
    except OSError:
        os._exit(0)
    finally:
        os._exit(70)


def _answer(library: EspeakLibrary, language: str, text: bytes) -> bytes:
    try:
        library.select(language)
    except EspeakError as error:
        return _NO_LANGUAGE + str(error).encode()
    return _PHONEMES + library.trace(text)
