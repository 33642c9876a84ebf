"""What the master and the workers do around a fork. Hooks of gunicorn; none may raise.

An exception in a hook ends the master and with it every healthy worker.
"""

import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.logs import event
from app.scoreboard import Scoreboard
from app.service import Service
from app.start import one_clear_message
from loader.config import Settings
from loader.errors import WarmUpError
from loader.voices import locate_all, verify_all

log = logging.getLogger("chorus.process")

#: The master ends with this status rather than fork while it has more than one thread.
UNSAFE_TO_FORK = 71
#: A worker that could not get ready ends with this, or with its error's own status. gunicorn would end
#: the whole server over 3 and 4 only.
TEMPORARY_FAILURE = WarmUpError.exit_status


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def task_count(tasks: Path = Path("/proc/self/task")) -> int:
    """Return how many threads this process has, native ones included."""
    return len(os.listdir(tasks))


def bake_before_workers(settings: Settings) -> Callable[[Any], None]:
    """Return the hook that bakes and verifies in the master where workers open the voices themselves.

    A worker that cannot open its voices would be replaced for ever, and fast.
    """

    def on_starting(server: Any) -> None:
        if settings.preload:
            return
        with one_clear_message():
            verify_all(settings, locate_all(settings, anew=not settings.use_cache))

    return on_starting


def freeze(server: Any) -> None:
    """Move all objects out of the collector's sight, so that no worker's collection writes to shared pages."""
    gc.freeze()
    event(log, "server.ready", workers=server.num_workers, bind=str(server.address), frozen_objects=gc.get_freeze_count())


def before_fork(board: Scoreboard) -> Callable[[Any, Any], None]:
    """Return the hook that gives the worker to come its seat, and refuses to fork with threads."""

    def pre_fork(server: Any, worker: Any) -> None:
        worker.seat = board.take_seat()
        refuse_to_fork_with_threads(server, worker)

    return pre_fork


def refuse_to_fork_with_threads(server: Any, worker: Any) -> None:
    """End the server rather than fork with threads: a lock one of them holds would stay locked in the child for ever."""
    tasks = task_count()
    if tasks > 1:
        event(log, "server.refused_to_fork", logging.CRITICAL, tasks=tasks, remedy="set preload: false")
        server.halt(reason=f"{tasks} threads in the master", exit_status=UNSAFE_TO_FORK)


def thaw(server: Any, worker: Any) -> None:
    """Collect garbage again, in the worker, which now owns whatever it allocates."""
    gc.enable()


def begin_work(worker: Any) -> None:
    """Begin, in the worker, what its application could not do before the fork."""
    if worker.seat is not None:
        _service(worker).hands.join(worker.seat)
    try:
        _service(worker).warm_up.begin()
    except RuntimeError as error:  # no thread can be started now
        event(log, "worker.not_ready", logging.ERROR, status=TEMPORARY_FAILURE, reason=str(error))
        sys.exit(TEMPORARY_FAILURE)


def end_with_status(server: Any, worker: Any) -> None:
    """End a worker that could not get ready with the status that says why.

    gunicorn knows no other way: by now the worker has stopped as if it was asked to. It
    also calls this in the master, for a worker that it finds gone.
    """
    if worker.pid == os.getpid() and getattr(worker, "wsgi", None) is not None:
        warm_up = _service(worker).warm_up
        warm_up.abandon()
        if warm_up.exit_status:
            sys.exit(warm_up.exit_status)


def _service(worker: Any) -> Service:
    service: Service = worker.wsgi.extensions["chorus"]
    return service


def stop_at_once(worker: Any) -> None:
    """End this worker now, whatever it is speaking: Python would wait for its threads, and a long text takes minutes."""
    os._exit(0)


def report_lost_worker(server: Any, worker: Any) -> None:
    """Log a worker that ended, and clear its seat; gunicorn forks its successor at once."""
    event(log, "worker.ended", worker_pid=worker.pid)
    if worker.seat is not None:
        worker.seat.leave()
