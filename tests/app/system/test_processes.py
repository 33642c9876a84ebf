"""app.system.processes: RSS, PSS and USS of real processes."""

import os
import subprocess
import sys

import pytest

from app.system.processes import ProcessMemory, children_of, memory_of, memory_of_tree, sampled, sum_of

#: A process with a child; both live until their standard input ends.
FAMILY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"


@pytest.fixture
def parent():
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_a_process_and_its_descendants_are_read(parent):
    tree = memory_of_tree(parent.pid)

    assert [parent.pid, *children_of(parent.pid)] == list(tree)
    assert 2 == len(tree)
    assert all(0 < each.uss_bytes <= each.pss_bytes <= each.rss_bytes for each in tree.values())


def test_a_process_that_has_ended_has_no_memory():
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(OSError):
            memory_of(process.pid)  # still a zombie
    assert [] == children_of(process.pid)
    with pytest.raises(OSError):
        memory_of(process.pid)


def test_uss_is_the_sum_of_clean_and_dirty_private_pages(tmp_path):
    (tmp_path / "7").mkdir()
    sizes = {"Rss": 900, "Pss": 400, "Shared_Clean": 500, "Private_Clean": 30, "Private_Dirty": 70}
    lines = "".join(f"{name}: {size} kB\n" for name, size in sizes.items())
    (tmp_path / "7" / "smaps_rollup").write_text(f"00400000-7fff rollup\n{lines}")

    assert ProcessMemory(900 * 1024, 400 * 1024, 100 * 1024) == memory_of(7, tmp_path)


def test_the_sum_has_each_figure():
    assert ProcessMemory(4, 6, 8) == sum_of([ProcessMemory(1, 2, 3), ProcessMemory(3, 4, 5)])


def test_sampling_stops_when_the_process_ends():
    values = iter([3, 9, 5])

    def read():
        value = next(values, None)
        if value is None:
            raise ProcessLookupError
        return value

    with sampled(read, every_s=0.001) as samples:
        while len(samples) < 3:
            os.sched_yield()

    assert [3, 9, 5] == samples
