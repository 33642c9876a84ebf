"""Server hooks: what the master and the workers do around a fork. None may raise.

An exception in a hook ends the master, and with it every healthy worker.
"""

import faulthandler
import gc
import logging
import math
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
from app.rollout.revision import adopted, revision_of
from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS
from app.serving import arbiter
from app.serving.rollout import Rollout
from app.serving.sockets import require_socket_paths
from app.startup import one_clear_message
from app.system.parent_death import signal_on_parent_death
from app.tracing import setup as tracing
from loader.artifacts.resolve import verify_all
from loader.config.settings import Settings
from loader.errors import WarmUpError

log = logging.getLogger("chorus.process")

#: The exit status of a master that has more than one thread and refuses to fork.
UNSAFE_TO_FORK = 71
#: The exit status of a worker that could not get ready, unless its error has one. gunicorn ends the whole server
#: on 3 and 4 only.
TEMPORARY_FAILURE = WarmUpError.exit_status


def task_count(tasks: Path = Path("/proc/self/task")) -> int:
    """Return how many threads this process has, native ones included."""
    return len(os.listdir(tasks))


def on_starting(settings: Settings, board: Scoreboard) -> Callable[[Any], None]:
    """Return the hook that extends the master; with `preload: false` it reads the lexicons and bakes and verifies the voices too.

    A worker that cannot open its voices ends, and gunicorn would replace it at once, for ever.
    """

    def on_starting(server: Any) -> None:
        restart = arbiter.extend(server)
        tracing.prepare()
        with one_clear_message():
            require_socket_paths(server.cfg.address, settings, os.environ)
            if not settings.preload:
                verify_all(settings, revision_of(settings).artifacts)
            server.rollout = Rollout(server, board, settings, restart)

    return on_starting


def when_ready(server: Any) -> None:
    """Hide all objects from the garbage collector, so that no worker's collection writes to shared pages."""
    gc.freeze()
    bind = server.cfg.address
    event(log, "server.ready", workers=server.cfg.workers, bind=str(bind), frozen_objects=gc.get_freeze_count())


def pre_fork(board: Scoreboard) -> Callable[[Any, Any], None]:
    """Return the hook that gives the next worker its slot, and refuses to fork with threads."""

    def pre_fork(server: Any, worker: Any) -> None:
        worker.master_pid, worker.kill_at_s = os.getpid(), math.inf
        worker.board, worker.slot = board, board.take_slot()
        worker.revision = adopted()
        worker.slot.set_gauges(revision=worker.revision.number if worker.revision else 0)
        refuse_to_fork_with_threads(server)

    return pre_fork


def refuse_to_fork_with_threads(server: Any) -> None:
    """End the server rather than fork with threads: a lock that one of them holds stays locked in the child for ever."""
    tasks = task_count()
    if tasks > 1:
        event(log, "fork.refused", logging.CRITICAL, tasks=tasks, remedy="set preload: false")
        server.halt(reason=f"{tasks} threads in the master", exit_status=UNSAFE_TO_FORK)


def post_fork(server: Any, worker: Any) -> None:
    """Collect garbage again, in the worker, which owns what it allocates from now on."""
    gc.enable()
    if server is not None:
        server.rollout.leave()
    worker.slot.set_pid(os.getpid())


def post_worker_init(worker: Any) -> None:
    """Complete the application in the worker: its slot, and what could not be started before the fork."""
    _dump_threads_on_abort()
    # Not before: the kernel forgets it when gunicorn changes the user.
    signal_on_parent_death(signal.SIGTERM)
    context = _context(worker.wsgi)
    context.enter_worker(worker.board, worker.slot)
    worker.max_body_bytes = context.settings.limits.body_bytes
    worker.while_waiting = context.parking.waiting
    worker.keep_house = context.close_unused_voice
    tracing.begin(worker.wsgi, worker.slot.number, context.proxy_clock.measure)
    try:
        context.warm_up.start_reader(context.slot.count_reader_end)
        context.watchdog.begin()
        context.warm_up.begin(partial(_show_ready, worker, context))
    except (OSError, RuntimeError) as error:  # the system can start no process or no thread now
        event(log, "worker.startup_failed", logging.ERROR, status=TEMPORARY_FAILURE, reason=str(error))
        sys.exit(TEMPORARY_FAILURE)


def _dump_threads_on_abort() -> None:
    """Have SIGABRT, which the master sends to a stalled worker, dump the worker's threads and end it."""
    # faulthandler passes the signal on to the handler before it: gunicorn's, in Python, would wait for the threads.
    signal.signal(signal.SIGABRT, signal.SIG_DFL)
    faulthandler.enable()


def _show_ready(worker: Any, context: Context) -> None:
    """Show that the worker is ready, and wake the master, which may wait for it in a rolling restart."""
    context.slot.set_gauges(voices=len(context.warm_up.catalogue.voices))
    context.slot.set_ready()
    with suppress(ProcessLookupError):
        os.kill(worker.master_pid, signal.SIGCHLD)


def worker_exit(server: Any, worker: Any) -> None:
    """End a worker that could not get ready with the exit status that says why.

    The worker has stopped by now as if it had been asked to, and gunicorn has no other place for the status. gunicorn also
    calls this in the master, for a worker that it finds gone.
    """
    if worker.pid != os.getpid() or getattr(worker, "wsgi", None) is None:
        return
    warm_up = _context(worker.wsgi).warm_up
    warm_up.abandon()
    tracing.end(worker.wsgi)
    has_failed = warm_up.exit_status or not worker.has_finished
    worker.slot.set_gauges(ending=1 + ENDINGS.index("failed" if has_failed else "stopped"))
    if warm_up.exit_status:
        sys.exit(warm_up.exit_status)


def _context(application: Any) -> Context:
    context: Context = application.extensions["chorus"]
    return context


def on_exit(server: Any) -> None:
    """End what the master has started besides workers."""
    server.rollout.end()


def worker_int(worker: Any) -> None:
    """End this worker now, in the middle of its requests: Python would wait for its threads, and a long text takes minutes."""
    worker.slot.set_gauges(ending=1 + ENDINGS.index("stopped"))
    os._exit(0)


def child_exit(server: Any, worker: Any) -> None:
    """Log that a worker ended, and free its slot; gunicorn forks the next worker at once."""
    ending = _ending(worker)
    level = logging.INFO if ending == "stopped" else logging.WARNING
    event(log, "worker.ended", level, worker_pid=worker.pid, slot=worker.slot.number, ending=ending)
    worker.board.release_slot(worker.slot, ending)


def _ending(worker: Any) -> str:
    """Return how a worker ended: as it has noted itself, else by a signal, of the master if the worker was stalled."""
    noted = int(worker.slot.row["ending"])
    if noted:
        return ENDINGS[noted - 1]
    return "stalled" if worker.aborted else "killed"
