"""A client's connection: socket timeouts for both directions, and a buffered send of answers whose length is known.

gunicorn waits without limit, in a thread: a few clients that never read their stream would block all threads of a worker.
"""

import errno
import fcntl
import re
import select
import socket
import struct
import termios
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Self

#: The kernel keeps at most this much of an answer that it cannot send yet, beyond the piece that is being written. On
#: loopback it would take 33 MB, minutes of audio, and the buffer of every slow client counts as memory of the server.
_MAX_UNSENT_BYTES = 256 * 1024
#: A client that takes the next bytes within this time is not slow: its thread was only not scheduled yet.
_GRACE_S = 0.1
#: How often a wait checks whether the client has taken something.
_CHECK_S = 1.0
#: The size of a buffered send: what the buffer of a socket takes at once on every Linux. Longer answers follow in pieces.
_MAX_BUFFERED_BYTES = 160 * 1024
_HEAD = re.compile(rb"HTTP/1\.[01] .*\r\ncontent-length: *(\d+)\r\n(?:.*\r\n)?\r\n", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class SocketTimeouts:
    """Socket timeouts of one request and its answer."""

    #: Without a byte from the client.
    silence_s: float = 10.0
    #: For the whole request.
    request_s: float = 60.0
    #: Without a byte taken by the client; nginx has the same.
    stuck_s: float = 60.0


class SlowClientError(ConnectionResetError):
    """A socket timeout. A connection reset to code that knows sockets only."""


class ClientSocket(socket.socket):
    """The connection of one request and its answer. One thread sends; `slow_clients` asks from others.

    Buffered send: an answer of known length is held until all of it can be sent at once, so that a worker killed between two
    writes cuts none. nginx asks another worker if the first died before it sent a byte, and cannot once it has read the head
    (5 of 200 kills on a busy machine cut an answer, 2026-11-24). Streams are sent as they come.
    """

    _timeouts: SocketTimeouts
    _now: Callable[[], float]
    #: What was read of the request before a thread took it, and not returned by `recv` yet.
    _unread: memoryview = memoryview(b"")
    #: Entered while the client does not take what is sent, once a second; may be replaced.
    while_waiting: Callable[["ClientSocket"], AbstractContextManager[None]]
    #: Bytes that were to be sent until now, and of these the ones that the kernel has.
    handed_bytes, sent_bytes = 0, 0
    _waited_s = 0.0
    _waits_since_s: float | None = None
    #: Send nothing before this many bytes are held; None before the head, 0 once everything passes.
    _hold_bytes: int | None = None
    _held: bytes = b""

    @classmethod
    def wrap(
        cls, client: socket.socket, timeouts: SocketTimeouts = SocketTimeouts(), now: Callable[[], float] = time.monotonic
    ) -> Self:
        """Return the connection of `client`, which is detached."""
        wrapped = cls(fileno=client.detach())
        wrapped._timeouts, wrapped._now = timeouts, now
        wrapped.while_waiting = lambda _: nullcontext()
        # Timeouts of the kernel: Python's own are lost when the socket is made blocking.
        wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(timeouts.silence_s))
        wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(timeouts.stuck_s))
        if wrapped.family in (socket.AF_INET, socket.AF_INET6):
            wrapped.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MAX_UNSENT_BYTES)
        return wrapped

    def unread(self, data: bytes) -> None:
        """Have `recv` return `data` before it reads from the connection."""
        self._unread = memoryview(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what the client sent next.

        Raises:
            SlowClientError: it sent nothing for `silence_s`.
        """
        if self._unread:
            piece, self._unread = bytes(self._unread[:size]), self._unread[size:]
            return piece
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            if not self.getblocking():
                raise
            raise _slow(f"nothing was sent for {self._timeouts.silence_s:g} s") from error

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send `data`, or hold it until the answer is complete.

        Raises:
            SlowClientError: the client took nothing for `stuck_s`.
        """
        if self._hold_bytes == 0:
            self._send(data)
            return
        if self._hold_bytes is None:
            head = _HEAD.fullmatch(data)
            self._hold_bytes = min(_MAX_BUFFERED_BYTES, len(data) + int(head[1])) if head else 0
        self._held += data
        if len(self._held) >= self._hold_bytes:
            self._flush()

    def shutdown(self, how: int) -> None:
        """Send what is held, such as the head of an answer to HEAD, before the connection is shut down."""
        with suppress(OSError):
            self._flush()
        super().shutdown(how)

    def waited_s(self) -> float:
        """Return how long sends have waited for the client until now, in seconds. Any thread may ask."""
        since_s = self._waits_since_s
        return self._waited_s + (0.0 if since_s is None else self._now() - since_s)

    def taken_bytes(self) -> int:
        """Return the bytes that the client's machine has taken. Any thread may ask while the connection is open."""
        return max(0, self.sent_bytes - self._unsent_bytes())

    def hang_up(self) -> None:
        """Reset the connection, and drop what the client has not taken. Any thread may call it while the connection is open."""
        with suppress(OSError):
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
            super().shutdown(socket.SHUT_RDWR)  # wakes the thread that waits

    def _flush(self) -> None:
        held, self._held, self._hold_bytes = self._held, b"", 0
        if held:
            self._send(held)

    def _send(self, data: Any) -> None:
        left = memoryview(data)
        self.handed_bytes += len(left)
        while left:
            try:
                sent_bytes = self.send(left, socket.MSG_DONTWAIT)
            except BlockingIOError as error:
                if not self.getblocking():
                    raise _slow("the client took nothing of the answer") from error
                self._await_client()
            else:
                self.sent_bytes += sent_bytes
                left = left[sent_bytes:]

    def _await_client(self) -> None:
        """Return when there is room for more, or when the connection has ended."""
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        if poll.poll(1000 * min(_GRACE_S, self._timeouts.stuck_s)):
            return
        began_s = self._waits_since_s = self._now()
        try:
            self._await_room(poll)
        finally:
            self._waits_since_s = None
            self._waited_s += self._now() - began_s

    def _await_room(self, poll: select.poll) -> None:
        """Wait for room, which comes only when the client has taken a good part of what the kernel holds."""
        stuck_s = self._timeouts.stuck_s
        check_s = min(_CHECK_S, stuck_s)
        before_bytes, silent_s = self._unsent_bytes(), 0.0
        while True:
            with self.while_waiting(self):
                if poll.poll(1000 * check_s):
                    return
                now_bytes = self._unsent_bytes()
                silent_s = 0.0 if now_bytes < before_bytes else silent_s + check_s
                before_bytes = now_bytes
                if silent_s >= stuck_s:
                    raise _slow(f"the client took nothing of the answer for {stuck_s:g} s")

    def _unsent_bytes(self) -> int:
        """Return what the kernel holds and the client's machine has not taken; of a unix socket with the kernel's overhead."""
        return int(struct.unpack("@i", fcntl.ioctl(self, termios.TIOCOUTQ, bytes(4)))[0])


def _slow(why: str) -> SlowClientError:
    return SlowClientError(errno.ECONNRESET, why)


def _timeval(duration_s: float) -> bytes:
    return struct.pack("@ll", int(duration_s), int(duration_s % 1 * 1e6))
