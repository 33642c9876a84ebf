"""Additions to gunicorn's master: rolling restart on SIGHUP, and the deadline check that ends stalled workers."""

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
#: Time for a stalled worker to dump its threads between SIGABRT and SIGKILL.
_ABORT_S = 1.0


def extend(server: Any, prepare_restart: Callable[[], None] = lambda: None) -> None:
    """Add the rolling restart and the deadline check to gunicorn's master. Runs before its loop starts.

    Args:
        server: the master.
        prepare_restart: called before a rolling restart; may not raise.
    """
    RollingRestart(server, prepare_restart)
    DeadlineCheck(server)
    # SIGUSR2 starts the next master with the command of this one. gunicorn would run the file of `python -m gunicorn` as a
    # script; the script's folder contains an `http` package that hides Python's.
    server.START_CTX["args"] = list(sys.orig_argv)


class RollingRestart:
    """Rolling restart (SIGHUP): fork a new worker, wait until it is ready, stop an old one, repeat. Loses no request.

    gunicorn's own reload forks all new workers, stops all old ones at once, and checks no worker while it waits. It reads
    its configuration again, but neither the application nor the weights: a changed configuration needs a new master (SIGUSR2).
    Of our own files, the lexicons alone are read again.
    """

    def __init__(self, server: Any, prepare: Callable[[], None] = lambda: None) -> None:
        """Take over SIGHUP and the worker count of the master; `prepare` is called before each restart."""
        self._server = server
        self._prepare = prepare
        self._manage = server.manage_workers
        self._outdated: set[Any] = set()
        #: Workers forked since the count was raised for one; None between two steps.
        self._newcomers: set[Any] | None = None
        server.handle_hup = self.start
        server.manage_workers = self.manage_workers

    def start(self) -> None:
        """Restart every worker that runs now. A second call during a restart includes the workers forked so far."""
        self._prepare()
        self._outdated = set(self._server.WORKERS.values())
        event(log, "restart.started", workers=len(self._outdated))

    def manage_workers(self) -> None:
        """Take the next step of the restart, then run gunicorn's own: fork missing workers, stop the oldest surplus ones."""
        running = set(self._server.WORKERS.values())
        self._outdated &= running
        if self._newcomers is not None:
            self._check_newcomers(self._newcomers & running)
        elif self._outdated and len(running) <= self._server.num_workers:
            self._newcomers = set()
            self._server.num_workers += 1
        self._manage()
        if self._newcomers is not None:
            self._newcomers |= set(self._server.WORKERS.values()) - running

    def _check_newcomers(self, running: set[Any]) -> None:
        if self._newcomers and not running:  # the new worker ended before it was ready: keep the old ones
            self._outdated = set()
            event(log, "restart.abandoned", logging.ERROR, reason="a new worker ended before it was ready")
        elif not any(_is_ready(worker) for worker in running):
            return
        self._newcomers = None
        # SIGTTOU may have lowered the count during the restart.
        self._server.num_workers = max(1, self._server.num_workers - 1)


def _is_ready(worker: Any) -> bool:
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
