"""Who a request came from: whether they still wait for the answer, and how long they will."""

import math
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import BadRequestError, ClientGoneError, DeadlineError
from app.scheduling.client_socket import ClientSocket

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR
#: Where the application notes how long the proxy had a request, in seconds.
WAITED_KEY = "chorus.waited_s"
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
    connection: ClientSocket | None = None

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


def listener(environ: Mapping[str, Any], now: Callable[[], float] = time.monotonic) -> Listener:
    """Return who waits for the answer to a request.

    As nginx does, a client is taken to have left when it closed its sending side.

    Args:
        environ: the request's, as gunicorn and `create_app` made it. `X-Request-Timeout` is the client's.
        now: the monotonic clock.

    Raises:
        BadRequestError: the timeout is no number of seconds.
    """
    since_s: float = now() - environ.get(WAITED_KEY, 0.0)
    connection = environ.get("gunicorn.socket")
    own = connection if isinstance(connection, ClientSocket) else None
    return Listener(_question(connection), since_s, since_s + _timeout_s(environ), own)


def _question(socket: Any) -> Callable[[], bool]:
    if socket is None:
        return lambda: False

    def has_left() -> bool:
        # One a question: two threads of a request may ask at the same time, which one poll object refuses.
        poll = select.poll()
        poll.register(socket, select.POLLRDHUP)
        return any(events & _GONE for _, events in poll.poll(0))

    return has_left


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
