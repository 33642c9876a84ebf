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

from app.context import Service
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
    """Return the hook that gives the worker to come its seat, and refuses to fork with threads."""

    def pre_fork(server: Any, worker: Any) -> None:
        worker.board, worker.seat = board, board.take_seat()
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
    if worker.seat is not None:
        worker.seat.sit(os.getpid())


def begin_work(worker: Any) -> None:
    """Begin, in the worker, what its application could not do before the fork."""
    _dump_when_aborted()
    service = _service(worker)
    worker.max_body_bytes = service.settings.limits.body_bytes
    if worker.seat is not None:
        service.hands.join(worker.board, worker.seat)
        service.admission.join(worker.board, worker.seat)
        service.parking.join(worker.seat)
    worker.while_waiting = service.parking.waiting
    switch.begin(worker.wsgi, None if worker.seat is None else worker.seat.slot)
    try:
        service.warm_up.start_reader(lambda: service.hands.seat.reader_ended())
        service.watchdog.begin()
        service.warm_up.begin(partial(_take_work, worker, service))
    except (OSError, RuntimeError) as error:  # no process or no thread can be started now
        event(log, "worker.not_ready", logging.ERROR, status=TEMPORARY_FAILURE, reason=str(error))
        sys.exit(TEMPORARY_FAILURE)


def _dump_when_aborted() -> None:
    """Have SIGABRT, which stalled workers get, end this one, saying what each of its threads was doing."""
    # faulthandler passes the signal on to whoever had it before: gunicorn, in Python, which would wait for the threads.
    signal.signal(signal.SIGABRT, signal.SIG_DFL)
    faulthandler.enable()


def _take_work(worker: Any, service: Service) -> None:
    """Say that the worker is ready, to the master too, where it may wait for that."""
    if worker.seat is not None:
        worker.seat.show(state=State.READY, voices=len(service.catalogue.voices))
    with suppress(ProcessLookupError):
        os.kill(worker.ppid, signal.SIGCHLD)


def end_with_status(server: Any, worker: Any) -> None:
    """End a worker that could not get ready with the status that says why.

    gunicorn knows no other way: by now the worker has stopped as if it was asked to. It
    also calls this in the master, for a worker that it finds gone.
    """
    if worker.pid != os.getpid() or getattr(worker, "wsgi", None) is None:
        return
    warm_up = _service(worker).warm_up
    warm_up.abandon()
    switch.end(worker.wsgi)
    if worker.seat is not None:
        worker.seat.show(ending=1 + ENDINGS.index("failed" if warm_up.exit_status else "stopped"))
    if warm_up.exit_status:
        sys.exit(warm_up.exit_status)


def _service(worker: Any) -> Service:
    service: Service = worker.wsgi.extensions["chorus"]
    return service


def stop_at_once(worker: Any) -> None:
    """End this worker now, whatever it is speaking: Python would wait for its threads, and a long text takes minutes."""
    if worker.seat is not None:
        worker.seat.show(ending=1 + ENDINGS.index("stopped"))
    os._exit(0)


def report_lost_worker(server: Any, worker: Any) -> None:
    """Log a worker that ended, and clear its seat; gunicorn forks its successor at once."""
    if worker.seat is None:
        event(log, "worker.ended", worker_pid=worker.pid)
        return
    ending = _ending(worker)
    level = logging.INFO if ending == "stopped" else logging.WARNING
    event(log, "worker.ended", level, worker_pid=worker.pid, slot=worker.seat.slot, ending=ending)
    worker.board.leave(worker.seat, ending)


def _ending(worker: Any) -> str:
    """Return how a worker ended: as it has noted itself, else by a signal, which may be the one that ends stalled ones."""
    noted = int(worker.seat.row["ending"])
    if noted:
        return ENDINGS[noted - 1]
    return "stalled" if worker.aborted else "killed"
