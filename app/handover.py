"""A client's connection: for how long it is waited for, and an answer that leaves in one piece, so that no death cuts it.

nginx asks another worker where one died before it said anything, and has nothing left to ask once it has read the head
of an answer. gunicorn writes the head, then the body piece by piece; a worker killed between two of these leaves an
answer that is cut (5 of 200 kills on a busy machine, 2026-11-24).

gunicorn waits for a client as long as it likes to take, in a thread, so that a few that begin a request and go on holding
their tongue take all threads of a worker, and as many that never read their stream all turns of a server.
"""

import errno
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

#: What a socket's buffer takes in one go on every Linux; of more than this, the rest follows.
_MOST_BYTES = 160 * 1024
_HEAD = re.compile(rb"HTTP/1\.[01] .*\r\ncontent-length: *(\d+)\r\n(?:.*\r\n)?\r\n", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """For how long a client is waited for that has begun a request."""

    #: While it sends nothing.
    silence_s: float = 10.0
    #: For all of the request.
    request_s: float = 60.0
    #: While it takes nothing of its answer; nginx waits as long.
    stuck_s: float = 60.0


class SlowClientError(ConnectionResetError):
    """A client that was waited for long enough. To whoever knows sockets it is one that is gone."""


class AnswerSocket(socket.socket):
    """A client's connection, of one request and its answer. Streams pass as they come."""

    _held: list[bytes]
    #: Until so many bytes are there, all is held back; None before the head.
    _until_bytes: int | None = None
    _patience: Patience
    _now: Callable[[], float]
    _ends_s: float | None = None

    @classmethod
    def taking(
        cls, client: socket.socket, patience: Patience = Patience(), now: Callable[[], float] = time.monotonic
    ) -> "AnswerSocket":
        """Return the connection `client`, which is not to be used any more."""
        taken = cls(fileno=client.detach())
        taken._held, taken._patience, taken._now = [], patience, now
        # Of the kernel: Python's own timeout is gone whenever gunicorn has the socket block.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(patience.silence_s))
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience.stuck_s))
        return taken

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what the client sent next.

        Raises:
            SlowClientError: it sent nothing for too long, or takes too long for all of it.
        """
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
        """Send `data`, or hold it back until the answer is whole.

        Raises:
            SlowClientError: the client takes nothing of it.
        """
        if self._until_bytes == 0:
            self._send(data)
            return
        if self._until_bytes is None:
            head = _HEAD.fullmatch(data)
            self._until_bytes = min(_MOST_BYTES, len(data) + int(head[1])) if head else 0
        self._held.append(bytes(data))
        if sum(map(len, self._held)) >= self._until_bytes:
            self._let_go()

    def shutdown(self, how: int) -> None:
        """Send what is held back: the head of an answer that has no body after all, as one to HEAD."""
        with suppress(OSError):
            self._let_go()
        super().shutdown(how)

    def close(self) -> None:
        """Send what is held back, where nobody shut the connection down before."""
        with suppress(OSError):
            self._let_go()
        super().close()

    def _let_go(self) -> None:
        held, self._held, self._until_bytes = b"".join(self._held), [], 0
        if held:
            self._send(held)

    def _send(self, data: Any) -> None:
        try:
            super().sendall(data)
        except BlockingIOError as error:
            raise _slow(f"nothing of the answer was taken for {self._patience.stuck_s:g} s") from error


def _slow(why: str) -> SlowClientError:
    return SlowClientError(errno.ECONNRESET, why)


def _timeval(duration_s: float) -> bytes:
    return struct.pack("@ll", int(duration_s), int(duration_s % 1 * 1e6))
