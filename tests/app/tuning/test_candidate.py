"""app.tuning.memory: what workers need, by what they were seen to need."""

import os
import subprocess
import sys

import psutil
import pytest

from app.tuning.journal import Journal, Memory, MemoryReading
from app.tuning.memory import fitting, highest, memory_of, need_of
from app.tuning.setting import Setting, settings_of

MIB = 2**20


def journal_of(*readings):
    journal = Journal()
    for moment, workers, total_mib, own_mib, characters in readings:
        memory = Memory(total_mib * MIB, tuple(each * MIB for each in own_mib))
        journal.add(MemoryReading(moment, Setting(workers, 2), memory, characters))
    return journal


PROBED = (("idle", 2, 108, (4, 4), None), ("mix", 2, 140, (20, 20), None), ("longest", 2, 160, (40, 20), 1000))


def test_what_is_shared_is_there_once_and_a_worker_as_often_as_there_are_workers_and_one_more():
    need = need_of(journal_of(*PROBED), longest_characters=1000)

    assert (100 * MIB, 40 * MIB, 4 * MIB) == (need.shared_bytes, need.worker_bytes, need.idle_worker_bytes)
    assert (100 + 4 * 40) * MIB == need.of(3)


def test_a_longer_text_than_was_spoken_takes_as_much_more():
    need = need_of(journal_of(*PROBED), longest_characters=3000)

    # 20 MiB more for 1000 characters, so 60 more than after the mix for 3000.
    assert 80 * MIB == need.worker_bytes


def test_a_worker_alone_does_not_own_the_weights():
    need = need_of(journal_of(*PROBED, ("load", 1, 150, (120,), None)), longest_characters=1000)

    assert 50 * MIB == need.worker_bytes


def test_load_may_need_more_than_the_longest_text():
    assert 70 * MIB == need_of(journal_of(*PROBED, ("load", 2, 230, (70, 60), None)), 1000).worker_bytes


def test_nothing_is_known_before_it_is_measured():
    settings = settings_of((1, 2), (2,))

    assert need_of(Journal(), 1000) is None
    assert settings == fitting(settings, None, 1)


@pytest.mark.parametrize(("budget_mib", "most"), [(100, 0), (150, 0), (190, 1), (400, 6)])
def test_as_many_workers_fit_as_the_budget_has_room_for_with_a_reserve(budget_mib, most):
    need = need_of(journal_of(*PROBED), longest_characters=1000)

    assert most == need.most_workers(budget_mib * MIB)
    assert most == len(fitting(settings_of(range(1, 20), (2,)), need, budget_mib * MIB))


def test_a_real_process_and_its_children_are_read():
    source = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        memory = memory_of(process.pid)
        process.stdin.close()

    assert 1 == len(memory.worker_uss_bytes)
    assert 0 < memory.worker_uss_bytes[0] < memory.pss_bytes
    assert 0 < memory.shared_bytes


def test_the_highest_of_many_readings_is_kept():
    sizes = iter([3, 9, 5])
    readings = []

    def read():
        readings.append(Memory(next(sizes, 1), ()))
        if len(readings) == 4:
            raise psutil.NoSuchProcess(os.getpid())
        return readings[-1]

    with highest(read, every_s=0.001) as peak:
        while len(readings) < 4:
            os.sched_yield()

    assert [Memory(9, ())] == peak
