"""Standard streams that whoever started this process has closed."""

import os
import sys


def reopen_closed_streams() -> None:
    """Open what is closed of descriptors 0, 1 and 2 on /dev/null. Call it before anything else is opened.

    Otherwise the next file, socket or memory that is opened gets such a number, and all that
    libraries write to standard error goes into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if not _is_open(number):
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:  # a lower one is taken first, and was looked at first
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
