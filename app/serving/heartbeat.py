"""A worker that hangs is found when its deadline is over, not up to a second later.

gunicorn's master looks at its workers' heartbeats every second. Their deadlines are known before:
no piece of audio has less than a second (`admission.stall_s`), so that none can come between two looks.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

#: A moment after the deadline it is over for whoever looks.
_AFTER_S = 0.002


class Lookout:
    """When the master is to look at its workers next. Lives in the master."""

    def __init__(self, server: Any, now: Callable[[], float] = time.monotonic) -> None:
        """Look after the server's workers from now on; `now` is the clock of their deadlines."""
        self._server = server
        self._now = now
        self._wait = server.wait_for_signals
        server.wait_for_signals = self.wait_for_signals

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        """Wait as gunicorn does between two looks, but no longer than to the next deadline."""
        return self._wait(timeout=max(0.0, min([timeout, *self._deadlines_in_s()])))

    def _deadlines_in_s(self) -> Iterator[float]:
        if not self._server.timeout:
            return  # gunicorn was told to end nobody, and would be asked again at once
        for worker in self._server.WORKERS.values():
            # Whoever was told to end, as one that hangs is first, has a second for that.
            if not worker.aborted and worker.slot.row["stalls_s"]:
                yield float(worker.slot.row["stalls_s"]) + _AFTER_S - self._now()
