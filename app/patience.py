"""For how long a client is waited for that has begun a request, or that takes its answer.

gunicorn waits for it as long as it likes to take, in a thread, so that a few that begin a request and go on holding their
tongue take all threads of a worker, and as many that never read their stream all turns of a server.
"""

import errno
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self


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

    @classmethod
    def taking(cls, client: socket.socket, patience: Patience = Patience(), now: Callable[[], float] = time.monotonic) -> Self:
        """Return the connection `client`, which is not to be used any more."""
        taken = cls(fileno=client.detach())
        taken._patience, taken._now = patience, now
        # Of the kernel: Python's own timeout is gone whenever gunicorn has the socket block.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(patience.silence_s))
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience.stuck_s))
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
        try:
            super().sendall(data, flags)
        except BlockingIOError as error:
            raise _slow(f"nothing of the answer was taken for {self._patience.stuck_s:g} s") from error


def _slow(why: str) -> SlowClientError:
    return SlowClientError(errno.ECONNRESET, why)


def _timeval(duration_s: float) -> bytes:
    return struct.pack("@ll", int(duration_s), int(duration_s % 1 * 1e6))
