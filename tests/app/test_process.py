"""app.process: the hooks around a fork, with a server that only remembers."""

import gc
import os
import threading

import pytest

from app import process


class RememberingServer:
    """Stands where gunicorn's arbiter would, and remembers that it was told to halt."""

    num_workers = 2
    address = ("127.0.0.1", 1)
    halted = None

    def halt(self, reason, exit_status):
        self.halted = (reason, exit_status)


def test_tasks_are_counted_native_ones_included():
    before = process.task_count()
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    during = process.task_count()
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
        process.refuse_to_fork_with_threads(server, None)
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
        process.freeze(RememberingServer())
        process.thaw(None, None)
        os._exit(0 if gc.isenabled() and gc.get_freeze_count() > 10_000 else 1)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
