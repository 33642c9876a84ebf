"""Additions to gunicorn's master: rolling restart, and the deadline check that ends stalled workers."""

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.logs import event
from app.scoreboard.layout import State

log = logging.getLogger("chorus.process")

#: The check runs this long after a deadline, when every clock agrees that it has passed.
_MARGIN_S = 0.002
#: gunicorn stops the workers of the lowest age first: this is taken from it once if they are outdated, twice if they are surplus.
_RANK = 10**9
_KEPT, _OUTDATED, _SURPLUS = range(3)
#: Time for a stalled worker to dump its threads between SIGABRT and SIGKILL.
_ABORT_S = 1.0


def extend(server: Any) -> "RollingRestart":
    """Add the rolling restart and the deadline check to gunicorn's master. Runs before its loop starts."""
    restart = RollingRestart(server)
    DeadlineCheck(server)
    # SIGUSR2 starts the next master with the command of this one. gunicorn would run the file of `python -m gunicorn` as a
    # script; the script's folder contains an `http` package that hides Python's.
    server.START_CTX["args"] = list(sys.orig_argv)
    return restart


class RollingRestart:
    """Rolling restart: fork a new worker, wait until it is ready, stop an old one, repeat. Loses no request.

    gunicorn's own reload forks all new workers, stops all old ones at once, and checks no worker while it waits. It reads
    its configuration again, but neither the application nor the weights; those are the matter of `serving.rollout`.
    """

    def __init__(self, server: Any, now: Callable[[], float] = time.monotonic) -> None:
        """Take over SIGHUP and the worker count of the master; `now` is the clock of `max_wait_s`."""
        self._server = server
        self._now = now
        self._manage = server.manage_workers
        self._outdated: set[Any] = set()
        #: Workers forked since the count was raised for one; None between two steps.
        self._newcomers: set[Any] | None = None
        self._since_s = 0.0
        #: How long a new worker may take to become ready.
        self.max_wait_s = math.inf
        #: Called with the reason after the restart was abandoned.
        self.when_abandoned: Callable[[str], None] = lambda reason: None
        server.handle_hup = self.start
        server.manage_workers = self.manage_workers

    @property
    def is_running(self) -> bool:
        """Whether workers are still to be replaced or to end."""
        return bool(self._outdated) or self._newcomers is not None

    def start(self) -> None:
        """Restart every worker that runs now. A second call during a restart includes the workers forked so far."""
        self.replace(set(self._server.WORKERS.values()))
        event(log, "restart.started", workers=len(self._outdated))

    def replace(self, outdated: set[Any], newcomers: set[Any] | None = None) -> None:
        """Replace the workers `outdated`, which are stopped before any other from now on.

        Args:
            outdated: some of the master's workers.
            newcomers: workers that have been forked for the first of them already, above the usual count.
        """
        self._outdated = set(outdated)
        for worker in self._server.WORKERS.values():
            if _rank_of(worker) != _SURPLUS:
                _set_rank(worker, _OUTDATED if worker in outdated else _KEPT)
        if newcomers is not None:
            self._newcomers, self._since_s = newcomers, self._now()

    def cancel(self) -> None:
        """Replace no further worker. A new one that is not ready takes the place of the oldest."""
        self.replace(set())
        if self._newcomers is not None:
            self._lower_count()

    def discard(self, worker: Any) -> None:
        """Stop a worker that was forked above the usual count, or do without it if it has ended."""
        _set_rank(worker, _SURPLUS)
        self._lower_count()

    def manage_workers(self) -> None:
        """Take the next step of the restart, then run gunicorn's own: fork missing workers, stop the oldest surplus ones."""
        running = set(self._server.WORKERS.values())
        self._outdated &= running
        if self._newcomers is not None:
            self._check_newcomers(self._newcomers & running)
        elif self._outdated and len(running) <= self._server.num_workers:
            self._newcomers, self._since_s = set(), self._now()
            self._server.num_workers += 1
        self._manage()
        workers = sorted(self._server.WORKERS.values(), key=lambda worker: worker.age)
        for worker in workers[: len(workers) - self._server.num_workers]:
            _set_rank(worker, _SURPLUS)  # it has been told to stop
        if self._newcomers is not None:
            self._newcomers |= set(workers) - running

    def _check_newcomers(self, running: set[Any]) -> None:
        if self._newcomers and not running:  # keep the old ones
            self._abandon("a new worker ended before it was ready")
        elif any(is_ready(worker) for worker in running):
            self._lower_count()
        elif self._now() - self._since_s > self.max_wait_s:
            for worker in running:
                _set_rank(worker, _SURPLUS)
            self._abandon(f"a new worker was not ready within {self.max_wait_s:g} s")

    def _abandon(self, reason: str) -> None:
        self.cancel()
        event(log, "restart.abandoned", logging.ERROR, reason=reason)
        self.when_abandoned(reason)

    def _lower_count(self) -> None:
        self._newcomers = None
        # SIGTTOU may have lowered the count during the restart.
        self._server.num_workers = max(1, self._server.num_workers - 1)


def _rank_of(worker: Any) -> int:
    return -(int(worker.age) // _RANK)


def _set_rank(worker: Any, rank: int) -> None:
    worker.age = worker.age % _RANK - rank * _RANK


def is_ready(worker: Any) -> bool:
    """Whether a worker takes requests, as far as the master can see."""
    return worker.slot.number is None or worker.slot.row["state"] == State.READY


class DeadlineCheck:
    """Deadline check: end a worker whose synthesis has stalled, when its deadline passes: SIGABRT, SIGKILL a second later.

    gunicorn checks heartbeats, every second, and a worker's main thread sends them even if a synthesis hangs. The deadlines
    are on the scoreboard. No piece of audio has less than a second (`admission.stall_s`), so that the master, which reads
    them at least once a second, sees every deadline before it passes.
    """

    def __init__(self, server: Any, now: Callable[[], float] = time.monotonic) -> None:
        """Check the workers of a master whenever it waits; `now` is the clock of the deadlines."""
        self._server = server
        self._now = now
        self._wait = server.wait_for_signals
        server.wait_for_signals = self.wait_for_signals

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        """Wait for signals as gunicorn does, at most until the next deadline; then end the workers that passed theirs."""
        if not self._server.cfg.timeout:  # gunicorn's `timeout: 0`: end no worker
            return self._wait(timeout=timeout)
        next_s = min(map(_due_s, self._server.WORKERS.values()), default=math.inf)
        signals = self._wait(timeout=max(0.0, min(timeout, next_s - self._now())))
        for pid, worker in list(self._server.WORKERS.items()):
            if _due_s(worker) <= self._now():
                self._end(pid, worker)
        return signals

    def _end(self, pid: int, worker: Any) -> None:
        number = signal.SIGKILL if worker.aborted else signal.SIGABRT
        if not worker.aborted:
            event(log, "worker.stalled", logging.ERROR, worker_pid=pid, slot=worker.slot.number)
        worker.aborted, worker.kill_at_s = True, self._now() + _ABORT_S
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _due_s(worker: Any) -> float:
    """Return when to send a worker its next signal, by the monotonic clock; infinity if no deadline is set."""
    if worker.aborted:
        return float(worker.kill_at_s)
    stalls_s = float(worker.slot.row["stalls_s"])
    return stalls_s + _MARGIN_S if stalls_s else math.inf
