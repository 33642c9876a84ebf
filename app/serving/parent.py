"""The end of a worker's master, as the kernel tells it.

A worker that only looks whether its parent is still there finds out a second late, and not at all while it starts or waits
for its last requests.
"""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
# Loaded in the master, once: no worker has a copy of its own.
_libc = ctypes.CDLL(None, use_errno=True)


def signal_on_parent_death(number: signal.Signals) -> bool:
    """Have the kernel send this process that signal when its parent ends, however it ends. Runs after the fork.

    A parent that has ended before is not noticed: compare `os.getppid()` afterwards. By the time the signal comes it
    names another process. Return whether the kernel agreed; a sandbox may forbid it.
    """
    return bool(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) == 0)
