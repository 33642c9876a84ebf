"""Standard streams that the parent process has closed."""

import os
import sys


def reopen_closed_streams() -> None:
    """Open /dev/null as each of the descriptors 0, 1 and 2 that is closed. Call it before anything else is opened.

    Otherwise the next file or socket gets such a number, and libraries write their standard error
    into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if not _is_open(number):
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:  # the system takes the lowest free one, and lower ones were reopened first
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False, errors="backslashreplace"))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
