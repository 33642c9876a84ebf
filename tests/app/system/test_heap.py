"""app.system.heap: freed pages are returned to the system while a worker is idle."""

import subprocess
import sys

import pytest

from app.system.heap import IdleHeap
from tests.conftest import ROOT

PROGRAM = """
import ctypes, threading
from app.system import heap

def anonymous_mib():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous")) / 1024

heap.keep_one_heap()
before = anonymous_mib()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def churn():
    blocks = [libc.malloc(64 * 1024) for _ in range(1600)]
    for block in blocks:
        ctypes.memset(block, 1, 64 * 1024)
    for block in blocks[:-1]:
        libc.free(block)

threads = [threading.Thread(target=churn) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kept = anonymous_mib() - before
heap.return_free_memory()
print(kept, anonymous_mib() - before)
"""


def test_memory_freed_by_any_thread_is_returned():
    output = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept_mib, after_mib = map(float, output.split())

    assert kept_mib > 50
    assert after_mib < kept_mib / 4


class ManualAlarm:
    """A timer that fires when the test calls `ring`."""

    def __init__(self, made):
        self.made = made

    def __call__(self, seconds, ring):
        self.ring, self.is_set, self.is_cancelled = ring, False, False
        self.made.append(self)
        return self

    def start(self):
        self.is_set = True

    def cancel(self):
        self.is_cancelled = True


@pytest.fixture
def heap():
    trims, alarms = [], []
    made = IdleHeap(lambda: trims.append(True), lambda seconds, ring: ManualAlarm(alarms)(seconds, ring))
    made.trims, made.alarms = trims, alarms
    return made


def test_memory_is_returned_when_a_worker_becomes_idle(heap):
    heap.work_begins()
    heap.work_ends()
    (alarm,) = heap.alarms
    before = list(heap.trims)
    alarm.ring()

    assert (True, []) == (alarm.is_set, before)
    assert [True] == heap.trims


def test_memory_is_kept_during_another_request(heap):
    heap.work_begins()
    heap.work_begins()
    heap.work_ends()

    assert [] == heap.alarms


def test_the_next_request_cancels_the_alarm(heap):
    heap.work_begins()
    heap.work_ends()
    heap.work_begins()
    (alarm,) = heap.alarms
    alarm.ring()

    assert alarm.is_cancelled
    assert [] == heap.trims, "an alarm that was already ringing trimmed the heap"
