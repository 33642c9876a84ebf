"""What the master and the workers do around a fork. Hooks of gunicorn; none may raise.

An exception in a hook ends the master and with it every healthy worker.
"""

import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.logs import event
from app.wsgi import one_clear_message
from loader.config import Settings
from loader.voices import locate_all, verify_all

log = logging.getLogger("chorus.process")

#: The master ends with this status rather than fork while it has more than one thread.
UNSAFE_TO_FORK = 71


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


def refuse_to_fork_with_threads(server: Any, worker: Any) -> None:
    """End the server rather than fork with threads: a lock one of them holds would stay locked in the child for ever."""
    tasks = task_count()
    if tasks > 1:
        event(log, "server.refused_to_fork", logging.CRITICAL, tasks=tasks, remedy="set preload: false")
        server.halt(reason=f"{tasks} threads in the master", exit_status=UNSAFE_TO_FORK)


def thaw(server: Any, worker: Any) -> None:
    """Collect garbage again, in the worker, which now owns whatever it allocates."""
    gc.enable()


def report_lost_worker(server: Any, worker: Any) -> None:
    """Log a worker that ended; gunicorn forks its successor at once."""
    event(log, "worker.ended", worker_pid=worker.pid)
