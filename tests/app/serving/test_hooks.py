"""app.serving.hooks: the hooks around a fork, with a master that records its calls."""

import gc
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from flask import Flask

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS
from app.serving import hooks
from loader.errors import LoaderError
from tests.conftest import ROOT


class RecordingMaster:
    """Takes the place of gunicorn's arbiter, and records that it was halted."""

    cfg = SimpleNamespace(workers=2, address=[("127.0.0.1", 1)])
    halted = None

    def halt(self, reason, exit_status):
        self.halted = (reason, exit_status)


def test_threads_are_counted():
    """In a child process, because this one has the threads of pytest's plugins, which come and go."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        before = hooks.task_count()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        os.write(writer, bytes([before, hooks.task_count()]))
        os._exit(0)
    os.waitpid(child, 0)
    counted = os.read(reader, 2)
    os.close(reader)
    os.close(writer)

    assert bytes([1, 2]) == counted


@pytest.mark.parametrize("threads", [0, 1])
def test_a_fork_is_refused_if_there_is_a_second_thread(threads):
    """In a child process, because this one has the threads of pytest's plugins."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        waiting = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(threads)]
        for thread in waiting:
            thread.start()
        server = RecordingMaster()
        hooks.refuse_to_fork_with_threads(server)
        os.write(writer, repr(server.halted).encode())
        os._exit(0)
    os.waitpid(child, 0)
    result = os.read(reader, 200).decode()
    os.close(reader)
    os.close(writer)

    assert ("None" if threads == 0 else "('2 threads in the master', 71)") == result


def test_a_worker_collects_garbage_but_not_the_frozen_heap():
    child = os.fork()
    if child == 0:
        gc.disable()
        hooks.when_ready(RecordingMaster())
        hooks.post_fork(None, WorkerToBe())
        os._exit(0 if gc.isenabled() and gc.get_freeze_count() > 10_000 else 1)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class WorkerToBe:
    """The argument of the hook before a fork."""

    pid = 4711
    aborted = False

    def __init__(self):
        self.board = Scoreboard(1)
        self.slot = self.board.take_slot()


def test_a_worker_has_a_slot_until_it_ends(monkeypatch):
    board, worker = Scoreboard(1), WorkerToBe()
    monkeypatch.setattr(hooks, "refuse_to_fork_with_threads", lambda server: None)
    hooks.pre_fork(board)(None, worker)
    worker.slot.set_gauges(speaking=3)

    assert 3 == board.speaking()
    assert board.take_slot().number is None

    hooks.child_exit(None, worker)

    assert 0 == board.speaking()
    assert 0 == board.take_slot().number


class Worker:
    """The argument of the hook of a worker that ends."""

    has_finished = True

    def __init__(self, pid, exit_status):
        self.slot = Scoreboard(1).take_slot()
        self.pid = pid
        self.wsgi = Flask("worker")
        self.wsgi.extensions["chorus"] = self
        self.warm_up = self
        self.exit_status = exit_status
        self.abandoned = 0

    def abandon(self):
        self.abandoned += 1


def test_a_worker_that_failed_to_become_ready_ends_with_its_exit_status():
    with pytest.raises(SystemExit) as ended:
        hooks.worker_exit(None, Worker(os.getpid(), 75))

    assert 75 == ended.value.code


def test_a_worker_that_was_ready_ends_without_an_exit_status_and_abandons_its_warm_up():
    worker = Worker(os.getpid(), 0)
    hooks.worker_exit(None, worker)

    assert 1 == worker.abandoned


@pytest.mark.parametrize("has_finished, ending", [(True, "stopped"), (False, "failed")])
def test_a_worker_whose_event_loop_failed_is_not_reported_as_stopped(has_finished, ending):
    worker = Worker(os.getpid(), 0)
    worker.has_finished = has_finished
    hooks.worker_exit(None, worker)

    assert ending == ENDINGS[int(worker.slot.row["ending"]) - 1]


def test_the_hook_does_not_end_the_master_if_gunicorn_calls_it_there():
    worker = Worker(os.getppid(), 75)
    hooks.worker_exit(None, worker)

    assert 0 == worker.abandoned


def test_no_exit_status_of_an_error_makes_gunicorn_end_the_server():
    def below(kind):
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert not {kind.__name__ for kind in below(LoaderError) if kind.exit_status in (0, 3, 4)}


#: A parent that forks, has its child ask the kernel for a signal at its death, and is killed; the child prints the signal.
PARENT = """
import os, signal
from app.system.parent_death import signal_on_parent_death
ready, asked = os.pipe()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
parent = os.getpid()
if os.fork() == 0:
    agreed = signal_on_parent_death(signal.SIGTERM)
    os.write(asked, b"x")
    got = signal.sigtimedwait([signal.SIGTERM], 60)
    print(agreed, got and got.si_signo == signal.SIGTERM, os.getppid() != parent, flush=True)
    os._exit(0)
os.read(ready, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_kernel_sends_a_signal_when_the_parent_is_killed():
    result = subprocess.run([sys.executable, "-c", PARENT], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "True True True\n" == result.stdout, result.stderr
