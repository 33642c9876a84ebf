"""SIGHUP: every worker is replaced by a fresh one, one by one, and no request is lost.

gunicorn itself would fork all new workers, end all old ones together, and wait for them
without looking after anybody meanwhile. It would read its configuration again too, but
neither the application nor the weights, which the master has: what is configured changes
with a new master (SIGUSR2).
"""

import logging
from typing import Any

from app.logs import event
from app.scoreboard.layout import State

log = logging.getLogger("chorus.process")


class Replacement:
    """The replacing of all workers that were there when it was asked for. Lives in the master."""

    def __init__(self, server: Any) -> None:
        """Look after the server's workers from now on."""
        self._server = server
        self._manage = server.manage_workers
        #: Workers up to this age are to go.
        self._last_age = 0
        #: The age of the worker after which the newcomer comes; None while no newcomer is awaited.
        self._newer_than: int | None = None
        server.handle_hup = self.begin
        server.manage_workers = self.manage_workers

    def begin(self) -> None:
        """Replace every worker that is there now. Asked again meanwhile, it replaces those too that are new by then."""
        self._last_age = self._server.worker_age
        event(log, "server.replaces_workers", workers=len(self._server.WORKERS))

    def manage_workers(self) -> None:
        """Take the next step, then do as gunicorn does: fork workers that are missing, end the oldest that are too many."""
        if self._newer_than is not None:
            self._await_newcomer()
        elif any(worker.age <= self._last_age for worker in self._server.WORKERS.values()) and not self._is_one_leaving():
            self._newer_than = self._server.worker_age
            self._server.num_workers += 1
        self._manage()

    def _await_newcomer(self) -> None:
        newcomers = [worker for worker in self._server.WORKERS.values() if worker.age > self._newer_than]
        if not newcomers and self._server.worker_age > self._newer_than:
            self._abandon()
        elif any(_is_ready(worker) for worker in newcomers):
            self._newer_than = None
            self._want_one_less()  # and the oldest is one too many

    def _want_one_less(self) -> None:
        # Somebody may have taken one away meanwhile (SIGTTOU).
        self._server.num_workers = max(1, self._server.num_workers - 1)

    def _is_one_leaving(self) -> bool:
        return bool(len(self._server.WORKERS) > self._server.num_workers)

    def _abandon(self) -> None:
        """Keep the workers there are: a new one cannot get ready."""
        self._newer_than, self._last_age = None, 0
        self._want_one_less()
        event(log, "server.keeps_workers", logging.ERROR, reason="a new worker ended before it was ready")


def _is_ready(worker: Any) -> bool:
    return bool(worker.slot.number is None or worker.slot.row["state"] == State.READY)
