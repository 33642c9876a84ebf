"""Whether the client that a request came from still waits for the answer."""

import select
from collections.abc import Callable, Mapping
from typing import Any

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


def listener(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return a question: has the client left?

    As nginx does, a client is taken to have left when it closed its sending side. Where
    the server does not show its socket, nobody ever leaves.

    Args:
        environ: the request's, as gunicorn made it.
    """
    socket = environ.get("gunicorn.socket")
    if socket is None:
        return lambda: False
    poll = select.poll()
    poll.register(socket, select.POLLRDHUP)
    return lambda: any(events & _GONE for _, events in poll.poll(0))
