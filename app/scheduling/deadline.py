"""Deadline: whether a request's client still waits, and until when.

A request's age counts from `X-Request-Start`, the time at which it came to nginx. The proxy's clock may be wrong: if it is
31 s behind ours, every request looks 31 s old and would be refused (2026-11-30). `ProxyClock` finds and corrects the
difference.
"""

import logging
import math
import re
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import BadRequestError, ClientDisconnectedError, DeadlineError
from app.logs import event
from app.scheduling.client_socket import ClientSocket

log = logging.getLogger("chorus.http")

#: Key of the WSGI environment: seconds for which the proxy had the request.
PROXY_WAIT_KEY = "chorus.proxy_wait_s"
MAX_TIMEOUT_S = 86_400.0
#: nginx's `$msec`: seconds with three decimals.
_START = re.compile(r"t=(\d{9,11}\.\d{3})", re.ASCII)
#: A proxy holds a request for milliseconds; for seconds if it tries a second worker after the first died or did not
#: accept for 5 s (ops/nginx). A longer time means that its clock is wrong.
MAX_PROXY_WAIT_S = 10.0
#: Clocks kept by NTP differ by less; a start further in the future means that the proxy's clock is ahead.
_MAX_AHEAD_S = 1.0
#: The clock difference is the minimum that requests seem to have waited in this period and the one before.
_PERIOD_S = 60.0
#: Fewer requests prove nothing: all of them may have waited.
_MIN_REQUESTS = 10
_WARNING_INTERVAL_S = 60.0
_DISCONNECTED = select.POLLRDHUP | select.POLLHUP | select.POLLERR


@dataclass(frozen=True)
class Client:
    """The client of one request. Times are of the monotonic clock."""

    #: Whether it has disconnected; always false if the server exposes no socket.
    has_disconnected: Callable[[], bool]
    #: When the request came to the proxy, or here.
    arrived_s: float
    #: When the client stops waiting; infinity without `X-Request-Timeout`.
    deadline_s: float = math.inf
    #: The socket of the answer; None if the server exposes none.
    connection: ClientSocket | None = None

    def require_waiting(self, now: Callable[[], float] = time.monotonic) -> None:
        """Stop work on an answer for which its client does not wait.

        Raises:
            ClientDisconnectedError: the client has disconnected.
            DeadlineError: its deadline is over.
        """
        if self.has_disconnected():
            raise ClientDisconnectedError("the client disconnected")
        if now() > self.deadline_s:
            raise DeadlineError("the answer was not complete within X-Request-Timeout; ask for a stream, or allow more")


def client_of(environ: Mapping[str, Any], now: Callable[[], float] = time.monotonic) -> Client:
    """Return the client of a request. As in nginx, a client that closed its sending side counts as disconnected.

    Args:
        environ: the request's, with `PROXY_WAIT_KEY` and gunicorn's socket. `X-Request-Timeout` is the client's.
        now: the monotonic clock.

    Raises:
        BadRequestError: the timeout is not a number of seconds.
    """
    arrived_s: float = now() - environ.get(PROXY_WAIT_KEY, 0.0)
    connection = environ.get("gunicorn.socket")
    own = connection if isinstance(connection, ClientSocket) else None
    return Client(_disconnect_check(connection), arrived_s, arrived_s + _parse_timeout(environ), own)


def _disconnect_check(socket: Any) -> Callable[[], bool]:
    if socket is None:
        return lambda: False

    def has_disconnected() -> bool:
        # One per call: two threads of a request may call at the same time, which one poll object refuses.
        poll = select.poll()
        poll.register(socket, select.POLLRDHUP)
        return any(events & _DISCONNECTED for _, events in poll.poll(0))

    return has_disconnected


def _parse_timeout(environ: Mapping[str, Any]) -> float:
    value = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if value is None:
        return math.inf
    try:
        timeout_s = float(value)
    except ValueError:
        timeout_s = math.nan
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise BadRequestError(
            f"X-Request-Timeout is {value[:20]!r}, expected seconds, more than 0 and at most {MAX_TIMEOUT_S:.0f}",
            "X-Request-Timeout",
        )
    return timeout_s


class ProxyClock:
    """The proxy's clock as seen by one process. Used by many threads; lives as long as the application."""

    def __init__(self, on_distrust: Callable[[], None], now: Callable[[], float] = time.monotonic) -> None:
        """Start without observations.

        Args:
            on_distrust: called for each request with an impossible start time.
            now: the monotonic clock.
        """
        self._on_distrust = on_distrust
        self._now = now
        self._lock = threading.Lock()
        self._period = -1
        # Minimum wait and number of requests, of this period and of the one before.
        self._min_s, self._min_before_s = math.inf, math.inf
        self._requests, self._requests_before = 0, 0
        self._warn_at_s = -math.inf

    def measure(self, environ: dict[str, Any]) -> float:
        """Return how long the proxy had a request, in seconds; measured once, and kept in its environment."""
        if PROXY_WAIT_KEY not in environ:
            environ[PROXY_WAIT_KEY] = self.wait_s(environ.get("HTTP_X_REQUEST_START", ""), time.time())
        wait_s: float = environ[PROXY_WAIT_KEY]
        return wait_s

    def wait_s(self, header: str, wall_s: float) -> float:
        """Return how long the proxy had a request: at least 0, and 0 if unknown.

        Args:
            header: the value of `X-Request-Start`.
            wall_s: Unix time here.
        """
        start = _START.fullmatch(header)
        if start is None:
            return 0.0
        apparent_s = wall_s - float(start[1])
        if not -_MAX_AHEAD_S <= apparent_s <= MAX_PROXY_WAIT_S:
            self._distrust(apparent_s)
            return 0.0
        return max(0.0, apparent_s - self._difference_s(apparent_s))

    def _difference_s(self, apparent_s: float) -> float:
        with self._lock:
            period = int(self._now() // _PERIOD_S)
            if period != self._period:
                is_next = period == self._period + 1
                self._min_before_s = self._min_s if is_next else math.inf
                self._requests_before = self._requests if is_next else 0
                self._period, self._min_s, self._requests = period, math.inf, 0
            self._min_s = min(self._min_s, apparent_s)
            self._requests += 1
            if self._requests + self._requests_before < _MIN_REQUESTS:
                return 0.0
            return min(self._min_s, self._min_before_s)

    def _distrust(self, apparent_s: float) -> None:
        self._on_distrust()
        with self._lock:
            if self._now() < self._warn_at_s:
                return
            self._warn_at_s = self._now() + _WARNING_INTERVAL_S
        event(
            log, "proxy.clock_distrusted", logging.WARNING, behind_s=round(apparent_s, 3),
            remedy="set the clocks of the proxy and of this machine by NTP",
        )  # fmt: skip
