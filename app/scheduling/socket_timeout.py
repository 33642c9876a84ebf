"""For how long a client is waited for that has begun a request, or that takes its answer.

gunicorn waits for it as long as it likes to take, in a thread, so that a few that begin a request and go on holding their
tongue take all threads of a worker, and as many that never read their stream all turns of a server.
"""

import errno
import fcntl
import select
import socket
import struct
import termios
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Self

#: The kernel keeps no more of an answer that it cannot send yet, beyond the piece that is being written. On loopback it would
#: take 33 MB, minutes of audio, and every slow client's buffer counts as memory of the server.
_MAX_UNSENT_BYTES = 256 * 1024
#: A client that takes the next bytes within this time is not waited for: its thread was only not scheduled yet.
_GRACE_S = 0.1
#: How often it is looked whether a client that is waited for has taken something.
_LOOK_S = 1.0


@dataclass(frozen=True)
class Patience:
    """How long it is."""

    #: While the client sends nothing.
    silence_s: float = 10.0
    #: For all of its request.
    request_s: float = 60.0
    #: While it takes nothing of its answer; nginx waits as long.
    stuck_s: float = 60.0


class SlowClientError(ConnectionResetError):
    """A client that was waited for long enough. To whoever knows sockets it is one that is gone."""


class PatientSocket(socket.socket):
    """A client's connection, of one request and its answer."""

    _patience: Patience
    _now: Callable[[], float]
    _ends_s: float | None = None
    #: What was read of the request before a thread took it, and how much of that the thread has not read yet.
    collected: bytes = b""
    _unread: memoryview = memoryview(b"")
    #: Entered while the client does not take what is sent, anew every second; may be replaced.
    while_waiting: Callable[["PatientSocket"], AbstractContextManager[None]]
    #: Bytes that were to be sent until now, and of these the ones that the kernel has.
    handed_bytes, sent_bytes = 0, 0
    _waited_s = 0.0
    _waits_since_s: float | None = None

    @classmethod
    def taking(cls, client: socket.socket, patience: Patience = Patience(), now: Callable[[], float] = time.monotonic) -> Self:
        """Return the connection `client`, which is not to be used any more."""
        taken = cls(fileno=client.detach())
        taken._patience, taken._now = patience, now
        taken.while_waiting = lambda _: nullcontext()
        # Of the kernel: Python's own timeout is gone whenever gunicorn has the socket block.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(patience.silence_s))
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience.stuck_s))
        if taken.family in (socket.AF_INET, socket.AF_INET6):
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MAX_UNSENT_BYTES)
        return taken

    def give_back(self, data: bytes) -> None:
        """Have `recv` return `data` before it reads any more."""
        self.collected, self._unread = data, memoryview(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what the client sent next.

        Raises:
            SlowClientError: it sent nothing for too long, or takes too long for all of it.
        """
        if self._unread:
            piece, self._unread = bytes(self._unread[:size]), self._unread[size:]
            return piece
        if not self.getblocking():
            return super().recv(size, flags)
        if self._ends_s is None:
            self._ends_s = self._now() + self._patience.request_s
        if self._now() > self._ends_s:
            raise _slow(f"not all of the request was there after {self._patience.request_s:g} s")
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            raise _slow(f"nothing was sent for {self._patience.silence_s:g} s") from error

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of `data`.

        Raises:
            SlowClientError: the client takes nothing of it.
        """
        left = memoryview(data)
        self.handed_bytes += len(left)
        while left:
            try:
                sent_bytes = self.send(left, flags | socket.MSG_DONTWAIT)
            except BlockingIOError as error:
                if not self.getblocking():
                    raise _slow("nothing of the answer was taken") from error
                self._await_client()
            else:
                self.sent_bytes += sent_bytes
                left = left[sent_bytes:]

    def waited_s(self) -> float:
        """Return how long the client was waited for until now, in seconds. Any thread may ask."""
        since_s = self._waits_since_s
        return self._waited_s + (0.0 if since_s is None else self._now() - since_s)

    def taken_bytes(self) -> int:
        """Return the bytes that the client's machine has taken. Any thread may ask while the connection is open."""
        return max(0, self.sent_bytes - self._unsent_bytes())

    def hang_up(self) -> None:
        """End the connection for both sides, and drop what the client has not taken. Any thread may do it while it is open."""
        with suppress(OSError):
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
            # Not our own, which sends what a child holds back. It wakes the thread that waits.
            super().shutdown(socket.SHUT_RDWR)

    def _await_client(self) -> None:
        """Return when there is room for more, or when the connection has ended."""
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        if poll.poll(1000 * min(_GRACE_S, self._patience.stuck_s)):
            return
        began_s = self._waits_since_s = self._now()
        try:
            self._await_room(poll)
        finally:
            self._waits_since_s = None
            self._waited_s += self._now() - began_s

    def _await_room(self, poll: select.poll) -> None:
        """Wait for room, which comes only when the client has taken a good part of what the kernel holds."""
        stuck_s = self._patience.stuck_s
        look_s = min(_LOOK_S, stuck_s)
        before_bytes, silent_s = self._unsent_bytes(), 0.0
        while True:
            with self.while_waiting(self):
                if poll.poll(1000 * look_s):
                    return
                now_bytes = self._unsent_bytes()
                silent_s = 0.0 if now_bytes < before_bytes else silent_s + look_s
                before_bytes = now_bytes
                if silent_s >= stuck_s:
                    raise _slow(f"nothing of the answer was taken for {stuck_s:g} s")

    def _unsent_bytes(self) -> int:
        """Return what the kernel holds that the client's machine has not taken; of a unix socket with what holding it costs."""
        return int(struct.unpack("@i", fcntl.ioctl(self, termios.TIOCOUTQ, bytes(4)))[0])


def _slow(why: str) -> SlowClientError:
    return SlowClientError(errno.ECONNRESET, why)


def _timeval(duration_s: float) -> bytes:
    return struct.pack("@ll", int(duration_s), int(duration_s % 1 * 1e6))
