"""app.memory: freed pages go back."""

import subprocess
import sys

from tests.conftest import ROOT

PROGRAM = """
import ctypes, threading
from app import memory

def anonymous_mib():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous")) / 1024

memory.share_one_heap()
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
memory.return_free_memory()
print(kept, anonymous_mib() - before)
"""


def test_memory_freed_by_any_thread_is_given_back():
    output = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept_mib, after_mib = map(float, output.split())

    assert kept_mib > 50
    assert after_mib < kept_mib / 4
