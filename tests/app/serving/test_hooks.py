"""app.serving.hooks: the hooks around a fork, with a server that only remembers."""

import gc
import os
import threading

import pytest
from flask import Flask

from app.scoreboard.board import Scoreboard
from app.serving import hooks
from loader.errors import LoaderError


class RememberingServer:
    """Stands where gunicorn's arbiter would, and remembers that it was told to halt."""

    num_workers = 2
    address = ("127.0.0.1", 1)
    halted = None

    def halt(self, reason, exit_status):
        self.halted = (reason, exit_status)


def test_tasks_are_counted_native_ones_included():
    before = hooks.task_count()
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    during = hooks.task_count()
    done.set()
    thread.join()

    assert before + 1 == during


@pytest.mark.parametrize("threads", [0, 1])
def test_a_fork_is_refused_only_while_there_is_a_second_thread(threads):
    """In a child of its own, because this process has whatever threads pytest's plugins have."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        waiting = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(threads)]
        for thread in waiting:
            thread.start()
        server = RememberingServer()
        hooks.refuse_to_fork_with_threads(server, None)
        os.write(writer, repr(server.halted).encode())
        os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reader, 200).decode()
    os.close(reader)
    os.close(writer)

    assert ("None" if threads == 0 else "('2 threads in the master', 71)") == said


def test_the_workers_collector_runs_and_leaves_the_frozen_heap_alone():
    child = os.fork()
    if child == 0:
        gc.disable()
        hooks.freeze(RememberingServer())
        hooks.thaw(None, WorkerToBe())
        os._exit(0 if gc.isenabled() and gc.get_freeze_count() > 10_000 else 1)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class WorkerToBe:
    """What gunicorn hands to the hook before a fork."""

    pid = 4711
    aborted = False

    def __init__(self):
        self.board = Scoreboard(1)
        self.slot = self.board.take_slot()


def test_a_worker_has_a_slot_for_as_long_as_it_lives(monkeypatch):
    board, worker = Scoreboard(1), WorkerToBe()
    monkeypatch.setattr(hooks, "refuse_to_fork_with_threads", lambda server, worker: None)
    hooks.before_fork(board)(None, worker)
    worker.slot.set_gauges(speaking=3)

    assert 3 == board.speaking()
    assert board.take_slot().number is None

    hooks.report_lost_worker(None, worker)

    assert 0 == board.speaking()
    assert 0 == board.take_slot().number


class Worker:
    """What gunicorn hands to the hook of a worker that ends."""

    def __init__(self, pid, exit_status):
        self.pid = pid
        self.slot = Scoreboard(1).take_slot()
        self.wsgi = Flask("worker")
        self.wsgi.extensions["chorus"] = self
        self.warm_up = self
        self.exit_status = exit_status
        self.abandoned = 0

    def abandon(self):
        self.abandoned += 1


def test_a_worker_that_could_not_get_ready_ends_with_its_status():
    with pytest.raises(SystemExit) as ended:
        hooks.end_with_status(None, Worker(os.getpid(), 75))

    assert 75 == ended.value.code


def test_a_worker_that_was_ready_ends_as_it_would_and_stops_waiting():
    worker = Worker(os.getpid(), 0)
    hooks.end_with_status(None, worker)

    assert 1 == worker.abandoned


def test_the_master_does_not_end_for_a_worker_that_it_finds_gone():
    worker = Worker(os.getppid(), 75)
    hooks.end_with_status(None, worker)

    assert 0 == worker.abandoned


def test_no_error_ends_a_worker_with_a_status_that_would_end_the_server():
    def below(kind):
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert not {kind.__name__ for kind in below(LoaderError) if kind.exit_status in (0, 3, 4)}
