"""A signal from the kernel when the parent process ends."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
# Loaded once, in the master: no worker has a copy of its own.
_libc = ctypes.CDLL(None, use_errno=True)


def signal_on_parent_death(number: signal.Signals) -> bool:
    """Have the kernel send this process a signal when its parent ends, however it ends. Runs after the fork.

    A check of `os.getppid()` once a second finds out late, and not at all while a worker starts. A parent that ended before
    this call is not noticed: compare `os.getppid()` afterwards. Return whether the kernel agreed; a sandbox may forbid it.
    """
    return bool(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) == 0)
