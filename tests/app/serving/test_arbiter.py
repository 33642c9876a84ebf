"""app.serving.arbiter: rolling restart and deadline check, with a master that records its calls."""

import itertools
import math
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from app.scoreboard.board import Scoreboard, Slot
from app.scoreboard.layout import State
from app.serving.arbiter import DeadlineCheck, RollingRestart

NOW_S = 1000.0


@dataclass(eq=False)
class Worker:
    """What the master knows of a worker."""

    slot: Any
    aborted: bool = False
    kill_at_s: float = math.inf
    is_stopping: bool = False
    age: int = 0


class RecordingMaster:
    """Takes the place of gunicorn's arbiter: its workers are plain objects, and it records the timeout of each wait."""

    def __init__(self, workers=0):
        self.cfg = SimpleNamespace(timeout=30)
        self.WORKERS = {}
        self.num_workers = workers
        self.waited_s = None
        self._board, self._pids = Scoreboard(8), itertools.count(1)
        self.manage_workers()

    def manage_workers(self):
        while len(self.WORKERS) < self.num_workers:
            pid = next(self._pids)
            self.WORKERS[pid] = Worker(self._board.take_slot(), age=pid)
        workers = sorted(self.WORKERS.values(), key=lambda worker: worker.age)
        for worker in workers[: len(workers) - self.num_workers]:
            worker.is_stopping = True

    def wait_for_signals(self, timeout):
        self.waited_s = timeout
        return ["a signal"]

    def end(self, pid):
        worker = self.WORKERS.pop(pid)
        self._board.release_slot(worker.slot, "stopped")

    def show_ready(self, pid):
        self.WORKERS[pid].slot.set_state(State.READY)

    def stopping(self):
        return [pid for pid, worker in self.WORKERS.items() if worker.is_stopping]


def test_a_restart_forks_one_worker_at_a_time_and_stops_an_old_one_once_it_is_ready():
    master = RecordingMaster(workers=2)
    RollingRestart(master)
    master.handle_hup()
    for new, old in ((3, 1), (4, 2)):
        master.manage_workers()
        assert (old, new, 3) == (min(master.WORKERS), max(master.WORKERS), len(master.WORKERS))
        master.manage_workers()
        assert [] == master.stopping()  # the new worker is not ready
        master.show_ready(new)
        master.manage_workers()
        assert [old] == master.stopping()
        master.manage_workers()
        assert new == max(master.WORKERS)  # the old worker has not ended
        master.end(old)

    master.manage_workers()
    assert ([3, 4], []) == (list(master.WORKERS), master.stopping())


def test_a_restart_ends_with_the_old_workers_if_a_new_one_ends_before_it_is_ready():
    master = RecordingMaster(workers=2)
    RollingRestart(master)
    master.handle_hup()
    master.manage_workers()
    master.end(3)
    for _ in range(3):
        master.manage_workers()

    assert ([1, 2], []) == (list(master.WORKERS), master.stopping())


def test_a_worker_whose_replacement_was_killed_is_restarted_by_the_next_restart():
    master = RecordingMaster(workers=1)
    RollingRestart(master)
    master.handle_hup()
    master.manage_workers()
    master.end(2)
    master.manage_workers()
    master.handle_hup()
    master.manage_workers()
    master.show_ready(3)
    master.manage_workers()

    assert [1] == master.stopping()


def test_a_second_restart_includes_the_workers_forked_by_the_first():
    master = RecordingMaster(workers=1)
    RollingRestart(master)
    master.handle_hup()
    master.manage_workers()
    master.handle_hup()
    for new, old in ((2, 1), (3, 2)):
        master.show_ready(new)
        master.manage_workers()
        assert [old] == master.stopping()
        master.end(old)
        master.manage_workers()

    assert [3] == list(master.WORKERS)


def test_one_worker_stays_if_the_count_is_lowered_during_a_restart():
    master = RecordingMaster(workers=1)
    RollingRestart(master)
    master.handle_hup()
    master.manage_workers()
    master.num_workers -= 1  # SIGTTOU
    master.show_ready(2)
    master.manage_workers()

    assert (1, [1]) == (master.num_workers, master.stopping())


def test_only_the_given_workers_are_replaced_even_if_they_are_not_the_oldest():
    master = RecordingMaster(workers=3)
    restart = RollingRestart(master)
    restart.replace({master.WORKERS[2]})
    master.manage_workers()
    master.show_ready(4)
    master.manage_workers()
    assert [2] == master.stopping()
    master.end(2)
    master.manage_workers()

    assert ([1, 3, 4], [], False) == (list(master.WORKERS), master.stopping(), restart.is_running)


def test_workers_that_were_to_be_replaced_are_like_all_others_after_the_restart_is_cancelled():
    master = RecordingMaster(workers=2)
    restart = RollingRestart(master)
    restart.replace({master.WORKERS[2]})
    restart.cancel()
    master.num_workers -= 1  # SIGTTOU
    master.manage_workers()

    assert [1] == master.stopping()


def test_a_worker_that_is_told_to_stop_stays_the_first_while_others_are_to_be_replaced():
    master = RecordingMaster(workers=2)
    restart = RollingRestart(master)
    restart.replace({master.WORKERS[2]})
    master.manage_workers()
    master.show_ready(3)
    master.manage_workers()
    restart.replace({master.WORKERS[1]})
    master.manage_workers()

    assert [2] == master.stopping()


def test_a_worker_forked_above_the_count_is_discarded_before_any_other():
    master = RecordingMaster(workers=2)
    restart = RollingRestart(master)
    master.num_workers += 1
    master.manage_workers()
    restart.discard(master.WORKERS[3])
    master.manage_workers()

    assert ([3], 2) == (master.stopping(), master.num_workers)


def test_a_restart_is_abandoned_if_a_new_worker_is_not_ready_in_time():
    clock, reasons = [NOW_S], []
    master = RecordingMaster(workers=1)
    restart = RollingRestart(master, lambda: clock[0])
    restart.max_wait_s, restart.when_abandoned = 10.0, reasons.append
    master.handle_hup()
    master.manage_workers()
    clock[0] += 9.0
    master.manage_workers()
    assert [] == reasons
    clock[0] += 2.0
    master.manage_workers()

    assert ["a new worker was not ready within 10 s"] == reasons
    assert ([2], 1, False) == (master.stopping(), master.num_workers, restart.is_running)


def worker(stalls_s=0.0, aborted=False):
    slot = Scoreboard(1).take_slot()
    slot.set_gauges(stalls_s=stalls_s)
    return Worker(slot, aborted)


def master_after_check(*workers, timeout=30, now=lambda: NOW_S):
    """Return a master that has waited once, with the deadline check of these workers."""
    master = RecordingMaster()
    master.WORKERS = dict(enumerate(workers, 1_000_000_000))  # above every valid pid
    master.cfg.timeout = timeout
    DeadlineCheck(master, now)
    assert ["a signal"] == master.wait_for_signals(timeout=1.0)
    return master


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param([], id="no worker"),
        pytest.param([worker()], id="no deadline"),
        pytest.param([worker(NOW_S + 60)], id="a later deadline"),
        pytest.param([worker(NOW_S - 5, aborted=True)], id="aborted by gunicorn"),
        pytest.param([Worker(Slot.unlisted())], id="no slot"),
    ],
)
def test_the_master_waits_one_second_if_no_deadline_is_near(workers):
    assert 1.0 == master_after_check(*workers).waited_s


def test_the_master_waits_until_just_after_the_next_deadline():
    master = master_after_check(worker(NOW_S + 60), worker(NOW_S + 0.25), worker(NOW_S + 0.5), worker())
    assert 0.25 < master.waited_s < 0.26


def test_the_master_does_not_wait_if_a_deadline_has_passed():
    assert 0.0 == master_after_check(worker(NOW_S - 5)).waited_s


def test_stalled_workers_are_kept_if_gunicorns_timeout_is_0():
    stalled = worker(NOW_S - 5)

    assert 1.0 == master_after_check(stalled, timeout=0).waited_s
    assert not stalled.aborted


def test_a_stalled_worker_is_aborted_and_killed_a_second_later_if_it_is_still_alive(caplog):
    program = "import signal; signal.signal(signal.SIGABRT, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        clock, master, stalled = [NOW_S], RecordingMaster(), worker(NOW_S - 5)
        master.WORKERS = {process.pid: stalled}
        DeadlineCheck(master, lambda: clock[0])
        master.wait_for_signals(timeout=1.0)
        assert stalled.aborted and process.poll() is None
        clock[0] += 0.5
        master.wait_for_signals(timeout=1.0)
        assert (0.5, None) == (master.waited_s, process.poll())
        clock[0] += 0.5
        master.wait_for_signals(timeout=1.0)
        assert -signal.SIGKILL == process.wait(60)

    assert ["worker.stalled"] == [record.msg["event"] for record in caplog.records]
