"""Sockets from the start to the end: paths to listen on, a connection while its request is collected, the lingering close."""

import os
import selectors
import socket
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import ServiceError
from app.scheduling.client_socket import ClientSocket
from app.serving.request_buffer import RequestBuffer
from loader.config.settings import Settings
from loader.errors import ConfigError

#: Set when the listeners are inherited, from systemd or from the previous master.
_INHERITED = ("LISTEN_FDS", "GUNICORN_FD")
_READ_BYTES = 64 * 1024
_DRAIN_BYTES = 256 * 1024
#: A client is given up after this long without a byte, or after this long in all; nginx has 5 and 30 s.
_SILENCE_S = 2.0
_MAX_LINGER_S = 30.0
#: No client sends a body of more than this by mistake.
_MAX_DRAINED_BYTES = 64 * 1024 * 1024
#: Each connection has a descriptor, and the limit of a process is often 1024.
MAX_LINGERING = 200


def require_socket_paths(addresses: Iterable[object], settings: Settings, environment: Mapping[str, str]) -> None:
    """Check the paths among gunicorn's addresses, where gunicorn tries for five seconds or ends with a traceback.

    Host and port are left to the operating system.

    Raises:
        ConfigError: the folder of a socket is missing, or another file has its path.
    """
    if any(name in environment for name in _INHERITED):
        return
    problems = [problem for each in addresses if isinstance(each, str) and (problem := _problem(Path(each)))]
    if problems:
        raise ConfigError(settings.path, [f"bind: {problem}" for problem in problems])


def _problem(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            return f"{path.parent}: no such folder; make it, or bind another path"
        return None if os.access(path.parent, os.W_OK | os.X_OK) else f"{path.parent}: user {os.geteuid()} may not write there"
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if stat.S_ISSOCK(mode) else f"{path}: not a socket; remove it, or bind another path"


@dataclass(eq=False)
class Connection:
    """A client's connection until its answer is sent."""

    socket: ClientSocket
    #: Of the client and of this server, as `socket` returns them.
    address: Any
    server: Any
    request: RequestBuffer
    #: Why the request is refused before it is parsed.
    refusal: ServiceError | None = None

    def getsockname(self) -> Any:
        """Return the server's address: all that gunicorn needs of the listener, which may be closed by then."""
        return self.server

    def collect(self) -> bool:
        """Read what the client has sent. Return whether a thread can go on: the request is complete, refused, or never comes."""
        try:
            piece = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        try:
            if piece:
                return self.request.add(piece, time.monotonic()) or not self._send_continue()
            if self.request.data:
                self.refusal = self.request.closed()
        except ServiceError as error:
            self.refusal = error
        return True

    def _send_continue(self) -> bool:
        """Ask for the body if the client waits for that. Return whether the client is still there."""
        if not self.request.take_continue():
            return True
        try:
            self.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            return False
        return True


@dataclass
class _Linger:
    """The limits of one connection: times by the monotonic clock, and the bytes that its client may still send."""

    silent_until_s: float
    until_s: float
    left_bytes: int = _MAX_DRAINED_BYTES


class LingeringClose:
    """Lingering close: drain answered connections until the peer closes. For the main thread of one worker.

    A connection that is closed while its client still sends is reset, and the client may lose the answer that says why its
    body was refused. gunicorn drains 64 KiB at most (4 of 200 refused bodies of megabytes ended as broken pipes, 2026-11-24)
    and blocks a thread for up to two seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without a connection. Runs after the fork."""
        self._clock = clock
        self._poller = selectors.EpollSelector()
        self._open: dict[socket.socket, _Linger] = {}

    def __len__(self) -> int:
        return len(self._open)

    def fileno(self) -> int:
        """Return a descriptor that is readable when `drain` has something to do."""
        return self._poller.fileno()

    def add(self, connection: socket.socket) -> None:
        """Close the sending side of a connection, and wait for its client to close the other."""
        try:
            connection.setblocking(False)
            connection.shutdown(socket.SHUT_WR)
            self._poller.register(connection, selectors.EVENT_READ)
        except (OSError, ValueError):
            connection.close()  # the client has closed it already
            return
        now_s = self._clock()
        self._open[connection] = _Linger(now_s + _SILENCE_S, now_s + _MAX_LINGER_S)
        if len(self._open) > MAX_LINGERING:
            self._close(next(iter(self._open)))

    def drain(self, timeout_s: float = 0.0) -> None:
        """Read once from each connection that is readable, and close those that their clients have closed."""
        for key, _ in self._poller.select(timeout_s):
            self._read(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered

    def close_overdue(self) -> None:
        """Close the connections that have reached a time limit."""
        now_s = self._clock()
        for connection in [each for each, linger in self._open.items() if min(linger.silent_until_s, linger.until_s) <= now_s]:
            self._close(connection)

    def finish(self) -> None:
        """Drain for two more seconds at most, then close everything."""
        ends_s = self._clock() + _SILENCE_S
        while self._open and (left_s := ends_s - self._clock()) > 0:
            self.drain(left_s)
        self.close()

    def close(self) -> None:
        """Close everything now."""
        for connection in list(self._open):
            self._close(connection)
        self._poller.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            size_bytes = len(connection.recv(_DRAIN_BYTES))
        except BlockingIOError:
            return
        except OSError:
            size_bytes = 0
        linger = self._open[connection]
        linger.silent_until_s = self._clock() + _SILENCE_S
        linger.left_bytes -= size_bytes
        if not size_bytes or linger.left_bytes < 0:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        del self._open[connection]
        self._poller.unregister(connection)
        with suppress(OSError):
            connection.close()
