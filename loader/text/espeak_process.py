"""espeak-ng in a process of its own: a text that crashes it costs a few milliseconds.

Three processes: this one sends requests; a *keeper*, forked from it, holds the library as it was
before any text and forks a *reader* whenever there is none; the reader answers until a text ends
it. All use one pair of sockets, with a message a request and a message an answer, each with the
request's number: a reader may also end while it is idle, or after it has answered. Both children
end when the requesting process ends or closes its socket.
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
from collections.abc import Collection
from contextlib import suppress

from loader.interrupts import deferred_interrupts
from loader.text.espeak_library import EspeakError, EspeakLibrary

#: CPU time of one text at most. A sentence takes 0.1 to 1 ms, one of several clauses up to 60 ms (2026-11-30).
READ_TIMEOUT_S = 2.0
#: Time by the clock after which the children are considered lost.
LOST_AFTER_S = 20.0
#: The longest message. The longest piece that a voice reads is 320 characters, whose phonemes take some 10 kB.
MAX_MESSAGE_BYTES = 128 * 1024

# The first byte of a request, after its number.
_TRACE, _CLAUSES = b"t", b"c"
# The first byte of an answer, after its number.
_PHONEMES, _NO_LANGUAGE, _ENDED = b"p", b"l", b"e"
_NUMBER = struct.Struct("=Q")
#: The number of no request.
_IDLE = 0
#: A signal to the whole process group must not end the children: they end with the requesting process.
_IGNORED_SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
)  # fmt: skip


class ReaderEndedError(Exception):
    """The text ended its reader process. The next text gets a new one."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"the reader process ended by signal {signal_number}")
        #: SIGABRT if the C library found an overflow, SIGSEGV, or SIGPROF if the text took too long; 0 if it exited.
        self.signal_number = signal_number


class EspeakProcess:
    """The requesting side. Used by one thread at a time, in the process that made it.

    Best made soon after the fork, while the process has one thread and a small heap: the keeper
    holds the pages of the heap at its fork.
    """

    def __init__(self, library: EspeakLibrary, timeout_s: float = READ_TIMEOUT_S, lost_after_s: float = LOST_AFTER_S) -> None:
        """Fork the keeper.

        Args:
            library: opened, and not yet used to read.
            timeout_s: CPU time of one text at most.
            lost_after_s: time to wait for an answer.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        self.owner_pid = os.getpid()
        self._number = _IDLE
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(lost_after_s)
        try:
            with theirs, warnings.catch_warnings(), deferred_interrupts():
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
            ConnectionError, TimeoutError: the children have ended, or do not answer.
            ValueError: the text and what is sent with it are longer than MAX_MESSAGE_BYTES.
        """
        return self._ask(_TRACE, text, language)

    def clauses(self, text: bytes, language: str) -> str:
        """Return one line for every clause of `text`, see `EspeakLibrary.clauses`.

        Raises:
            ReaderEndedError, EspeakError, ConnectionError, TimeoutError, ValueError: see `trace`.
        """
        return self._ask(_CLAUSES, text, language)

    def _ask(self, kind: bytes, text: bytes, language: str) -> str:
        self._number += 1
        message = _NUMBER.pack(self._number) + kind + language.encode() + b"\0" + text
        if len(message) > MAX_MESSAGE_BYTES:
            raise ValueError(f"the message has {len(message)} bytes, limit {MAX_MESSAGE_BYTES}; send a shorter text")
        self._socket.send(message)
        outcome, content = self._answer()
        if outcome == _ENDED:
            raise ReaderEndedError(content[0])
        if outcome == _NO_LANGUAGE:
            raise EspeakError(content.decode())
        return content.decode("utf-8", "replace")

    def _answer(self) -> tuple[bytes, bytes]:
        """Return the answer to the last request. The one before may have two: its reader answered, and ended."""
        while answer := self._socket.recv(MAX_MESSAGE_BYTES):
            if _NUMBER.unpack_from(answer)[0] == self._number:
                return answer[_NUMBER.size : _NUMBER.size + 1], answer[_NUMBER.size + 1 :]
        raise ConnectionResetError("the espeak-ng reader processes have ended")

    def close(self) -> None:
        """End the children and wait for them."""
        self._socket.close()
        if self.owner_pid == os.getpid():
            with suppress(ChildProcessError):
                os.waitpid(self._keeper_pid, 0)


def _keep(library: EspeakLibrary, connection: socket.socket, timeout_s: float) -> None:
    """Keep a reader while the requesting process lives. Runs in the keeper and never returns."""
    try:
        _isolate({connection.fileno(), library.data_descriptor})
        # The number of the request that the reader works on, for when it has ended.
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
        pass  # the requesting process has ended, or no reader can be forked: it finds the socket closed
    finally:
        os._exit(0)


def _isolate(kept: Collection[int | None]) -> None:
    """Close every inherited descriptor but the kept ones, and ignore signals."""
    gc.disable()
    faulthandler.disable()
    signal.set_wakeup_fd(-1)
    for number in _IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGCHLD, signal.SIGABRT, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    # The reader's status reports its end. The C library would also write a line, and a core dump contains the text.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):  # the descriptor that read the folder is closed already
                os.close(descriptor)


def _read_on(library: EspeakLibrary, connection: socket.socket, working_on: mmap.mmap, timeout_s: float) -> None:
    """Answer until the requesting process closes its socket, or a text ends this process. Never returns."""
    try:
        # The request stays in the socket until its number is recorded, so it cannot be lost between the two.
        while beginning := connection.recv(_NUMBER.size, socket.MSG_PEEK):
            working_on[:] = beginning
            request = connection.recv(MAX_MESSAGE_BYTES)[_NUMBER.size :]
            signal.setitimer(signal.ITIMER_PROF, timeout_s)
            connection.send((beginning + _answer(library, request))[:MAX_MESSAGE_BYTES])
            signal.setitimer(signal.ITIMER_PROF, 0)
            _NUMBER.pack_into(working_on, 0, _IDLE)
        os._exit(0)
    except OSError:
        os._exit(0)
    finally:
        os._exit(70)


def _answer(library: EspeakLibrary, request: bytes) -> bytes:
    language, _, text = request[1:].partition(b"\0")
    try:
        library.select(language.decode())
    except EspeakError as error:
        return _NO_LANGUAGE + str(error).encode()
    return _PHONEMES + (library.clauses(text) if request[:1] == _CLAUSES else library.trace(text))
