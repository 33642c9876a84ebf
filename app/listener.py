"""Who a request came from: whether they still wait for the answer, and how long they will."""

import math
import re
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import BadRequestError, ClientGoneError, DeadlineError
from app.patience import PatientSocket

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR
#: What nginx writes of the time at which a request came to it: seconds, with milliseconds after the point.
_START = re.compile(r"t=(\d{9,11}\.\d{3})")
#: Clocks of two machines are no further apart; a request that says it is older is as old as this.
_OLDEST_S = 3600.0
LONGEST_S = 86_400.0


@dataclass(frozen=True)
class Listener:
    """Whoever waits for an answer. Times are of the monotonic clock."""

    #: Asks: has the client left? Where the server does not show its socket, nobody ever leaves.
    has_left: Callable[[], bool]
    #: When the request came, to nginx where that says so.
    since_s: float
    #: When the client waits no longer; infinity where it has not said.
    until_s: float = math.inf
    #: What the answer is sent through; None if the server does not show it.
    connection: PatientSocket | None = None

    def raise_if_gone(self, now: Callable[[], float] = time.monotonic) -> None:
        """Stop the work of an answer that nobody will hear.

        Raises:
            ClientGoneError: the client has left.
            DeadlineError: it waits no longer.
        """
        if self.has_left():
            raise ClientGoneError("the client left")
        if now() > self.until_s:
            raise DeadlineError("the answer was not whole within X-Request-Timeout; ask for a stream, or allow more")


def listener(
    environ: Mapping[str, Any], now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
) -> Listener:
    """Return who waits for the answer to a request.

    As nginx does, a client is taken to have left when it closed its sending side.

    Args:
        environ: the request's, as gunicorn made it. `X-Request-Start` is nginx's, `X-Request-Timeout` the client's.
        now: the monotonic clock.
        wall: Unix time.

    Raises:
        BadRequestError: the timeout is no number of seconds.
    """
    since_s = now() - waited_s(environ.get("HTTP_X_REQUEST_START", ""), wall())
    connection = environ.get("gunicorn.socket")
    own = connection if isinstance(connection, PatientSocket) else None
    return Listener(_question(connection), since_s, since_s + _timeout_s(environ), own)


def _question(socket: Any) -> Callable[[], bool]:
    if socket is None:
        return lambda: False
    poll = select.poll()
    poll.register(socket, select.POLLRDHUP)
    return lambda: any(events & _GONE for _, events in poll.poll(0))


def waited_s(said: str, wall_s: float) -> float:
    """Return how long ago a request came to nginx, which has `said` so in `X-Request-Start`; 0 where it has not."""
    found = _START.fullmatch(said)
    return min(_OLDEST_S, max(0.0, wall_s - float(found[1]))) if found else 0.0


def _timeout_s(environ: Mapping[str, Any]) -> float:
    said = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if said is None:
        return math.inf
    try:
        timeout_s = float(said)
    except ValueError:
        timeout_s = math.nan
    if not 0 < timeout_s <= LONGEST_S:
        raise BadRequestError(
            f"X-Request-Timeout is {said[:20]!r}, expected seconds, more than 0 and at most {LONGEST_S:.0f}", "X-Request-Timeout"
        )
    return timeout_s
