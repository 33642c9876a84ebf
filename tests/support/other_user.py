"""Programs run by a user without an entry in the user database and without a home, who can write only to open folders."""

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

#: A user id that this machine does not use.
USER = 54321


def interpreter_of_other_user(folder):
    """Write a program into `folder` that runs this Python as that user, and return its path.

    It may read every file, because the interpreter and the packages may be in root's home.
    """
    setpriv = shutil.which("setpriv")
    if os.getuid() != 0 or setpriv is None:
        pytest.skip("only root can become another user, by setpriv of util-linux")
    read_all = "-all,+dac_read_search"
    capabilities = f"--inh-caps={read_all} --ambient-caps={read_all} --bounding-set={read_all}"
    words = f"--reuid {USER} --regid {USER} --clear-groups {capabilities}"
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec {setpriv} {words} {sys.executable} "$@"\n')
    program.chmod(0o755)
    return program


@contextmanager
def open_folder():
    """Make a folder in which every user can write. Outside pytest's own folder, which is closed to other users."""
    with tempfile.TemporaryDirectory(prefix="chorus-test-") as name:
        os.chmod(name, 0o777)
        yield Path(name)
