"""app.serving.parent: the kernel says when the parent has ended."""

import subprocess
import sys

from tests.conftest import ROOT

#: A parent that forks, has its child ask the kernel, and is killed; the child says what it got.
PROGRAM = """
import os, signal, sys
from app.serving.parent import signal_on_parent_death
ready, told = os.pipe()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
if os.fork() == 0:
    agreed = signal_on_parent_death(signal.SIGTERM)
    os.write(told, b"x")
    got = signal.sigtimedwait([signal.SIGTERM], 60)
    print(agreed, got and got.si_signo == signal.SIGTERM, os.getppid() != int(sys.argv[1] or 0), flush=True)
    os._exit(0)
os.read(ready, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_signal_comes_when_the_parent_is_killed_and_the_parent_is_another_by_then():
    result = subprocess.run([sys.executable, "-c", PROGRAM, "0"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "True True True\n" == result.stdout, result.stderr
