"""What the master and the workers do around a fork. Hooks of gunicorn; none may raise.

An exception in a hook ends the master and with it every healthy worker.
"""

import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from app.context import Context
from app.logs import event
from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS, State
from app.serving.heartbeat import Lookout
from app.serving.rolling_restart import Replacement
from app.serving.sockets import require_socket_places
from app.startup import one_clear_message
from app.tracing import switch
from loader.config.settings import Settings
from loader.errors import WarmUpError
from loader.voices.catalog import locate_all, verify_all

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


def before_start(settings: Settings) -> Callable[[Any], None]:
    """Return the hook that bakes and verifies in the master where workers open the voices themselves.

    A worker that cannot open its voices would be replaced for ever, and fast.
    """

    def on_starting(server: Any) -> None:
        Replacement(server)
        Lookout(server)
        switch.prepare()
        # SIGUSR2 starts the next master as this one was started. gunicorn would run the file of `python -m gunicorn` as a
        # script, whose folder has an `http` that is not Python's.
        server.START_CTX["args"] = list(sys.orig_argv)
        with one_clear_message():
            require_socket_places(server.cfg.address, settings, os.environ)
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
    """Return the hook that takes the worker's slot on the board, and refuses to fork with threads."""

    def pre_fork(server: Any, worker: Any) -> None:
        worker.board, worker.slot = board, board.take_slot()
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
    worker.slot.set_pid(os.getpid())


def begin_work(worker: Any) -> None:
    """Complete the application in the worker: its slot, and what could not be started before the fork."""
    _dump_when_aborted()
    context = _context(worker)
    context.enter_worker(worker.board, worker.slot)
    worker.max_body_bytes = context.settings.limits.body_bytes
    worker.while_waiting = context.parking.waiting
    switch.begin(worker.wsgi, worker.slot.number, context.proxy_clock.measure)
    try:
        context.warm_up.start_reader(context.slot.count_reader_end)
        context.watchdog.begin()
        context.warm_up.begin(partial(_take_work, worker, context))
    except (OSError, RuntimeError) as error:  # no process or no thread can be started now
        event(log, "worker.startup_failed", logging.ERROR, status=TEMPORARY_FAILURE, reason=str(error))
        sys.exit(TEMPORARY_FAILURE)


def _dump_when_aborted() -> None:
    """Have SIGABRT, which stalled workers get, end this one, saying what each of its threads was doing."""
    # faulthandler passes the signal on to whoever had it before: gunicorn, in Python, which would wait for the threads.
    signal.signal(signal.SIGABRT, signal.SIG_DFL)
    faulthandler.enable()


def _take_work(worker: Any, context: Context) -> None:
    """Mark the worker as ready, and wake the master, which may wait for that."""
    context.slot.set_gauges(state=State.READY, voices=len(context.catalogue.voices))
    with suppress(ProcessLookupError):
        os.kill(worker.ppid, signal.SIGCHLD)


def end_with_status(server: Any, worker: Any) -> None:
    """End a worker that could not get ready with the status that says why.

    gunicorn knows no other way: by now the worker has stopped as if it was asked to. It
    also calls this in the master, for a worker that it finds gone.
    """
    if worker.pid != os.getpid() or getattr(worker, "wsgi", None) is None:
        return
    warm_up = _context(worker).warm_up
    warm_up.abandon()
    switch.end(worker.wsgi)
    worker.slot.set_gauges(ending=1 + ENDINGS.index("failed" if warm_up.exit_status else "stopped"))
    if warm_up.exit_status:
        sys.exit(warm_up.exit_status)


def _context(worker: Any) -> Context:
    context: Context = worker.wsgi.extensions["chorus"]
    return context


def stop_at_once(worker: Any) -> None:
    """End this worker now, whatever it is speaking: Python would wait for its threads, and a long text takes minutes."""
    worker.slot.set_gauges(ending=1 + ENDINGS.index("stopped"))
    os._exit(0)


def report_lost_worker(server: Any, worker: Any) -> None:
    """Log a worker that ended, and release its slot; gunicorn forks its successor at once."""
    ending = _ending(worker)
    level = logging.INFO if ending == "stopped" else logging.WARNING
    event(log, "worker.ended", level, worker_pid=worker.pid, slot=worker.slot.number, ending=ending)
    worker.board.release_slot(worker.slot, ending)


def _ending(worker: Any) -> str:
    """Return how a worker ended: as it has noted itself, else by a signal, which may be the one that ends stalled ones."""
    noted = int(worker.slot.row["ending"])
    if noted:
        return ENDINGS[noted - 1]
    return "stalled" if worker.aborted else "killed"
