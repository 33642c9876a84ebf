"""Connections that were answered, read until their clients have closed them too, without a thread.

A connection that is closed while its client still sends is reset, and the client may lose the answer that says why its
body was refused. gunicorn reads on for that reason, but 64 KiB at the most (4 of 200 refused bodies of megabytes ended as
broken pipes, 2026-11-24), and in the thread that takes all connections: each client that kept its end open held up a worker
for two seconds.
"""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_PIECE_BYTES = 256 * 1024
#: A client that sends nothing for so long, or that sends for so long, is not waited for; nginx has 5 and 30 s.
_SILENCE_S = 2.0
_LONGEST_S = 30.0
#: A body of more than this is no mistake.
_MOST_BYTES = 64 * 1024 * 1024
#: Each has a descriptor, of which a process often may have no more than 1024.
_MOST = 200


@dataclass
class _Farewell:
    """Until when a client is waited for, by the monotonic clock, and how much it may still send."""

    silent_until_s: float
    until_s: float
    left_bytes: int = _MOST_BYTES

    @property
    def ends_s(self) -> float:
        return min(self.silent_until_s, self.until_s)


class Farewells:
    """The connections of one worker that are being closed. Made after the fork; not for more than one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._poller = selectors.EpollSelector()
        self._open: dict[socket.socket, _Farewell] = {}

    def __len__(self) -> int:
        return len(self._open)

    def fileno(self) -> int:
        """Return a descriptor that can be read once `read` has something to do."""
        return self._poller.fileno()

    def say(self, connection: socket.socket) -> None:
        """Send no more to a client whose answer is sent, and leave it to the client to close the connection."""
        try:
            connection.setblocking(False)
            connection.shutdown(socket.SHUT_WR)
            self._poller.register(connection, selectors.EVENT_READ)
        except (OSError, ValueError):
            connection.close()  # the client was faster
            return
        now_s = self._clock()
        self._open[connection] = _Farewell(now_s + _SILENCE_S, now_s + _LONGEST_S)
        if len(self._open) > _MOST:
            self._close(next(iter(self._open)))

    def read(self, timeout_s: float = 0.0) -> None:
        """Read what clients still send, a piece of each, and close what they have closed."""
        for key, _ in self._poller.select(timeout_s):
            self._read(key.fileobj)  # type: ignore[arg-type]  # sockets are all that is registered

    def end_overdue(self) -> None:
        """Close the connections whose clients were waited for long enough."""
        now_s = self._clock()
        for connection in [each for each, farewell in self._open.items() if farewell.ends_s <= now_s]:
            self._close(connection)

    def finish(self) -> None:
        """Wait for the clients a last time, and close everything."""
        ends_s = self._clock() + _SILENCE_S
        while self._open and (left_s := ends_s - self._clock()) > 0:
            self.read(left_s)
        self.close()

    def close(self) -> None:
        """Close everything now."""
        for connection in list(self._open):
            self._close(connection)
        self._poller.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            size_bytes = len(connection.recv(_PIECE_BYTES))
        except BlockingIOError:
            return
        except OSError:
            size_bytes = 0
        farewell = self._open[connection]
        farewell.silent_until_s = self._clock() + _SILENCE_S
        farewell.left_bytes -= size_bytes
        if not size_bytes or farewell.left_bytes < 0:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        del self._open[connection]
        self._poller.unregister(connection)
        with suppress(OSError):
            connection.close()
