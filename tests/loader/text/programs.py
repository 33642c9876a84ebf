"""Programs of this folder, run with the arguments of their docstrings."""

import subprocess
import sys

from tests.loader.children import ROOT, TIMEOUT_S


def run_module(name, *arguments, env=None, given=None):
    """Run `python -m NAME`, which must succeed, and return its last line."""
    done = subprocess.run(
        [sys.executable, "-m", name, *map(str, arguments)],
        cwd=ROOT, env=env, input=given, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return (done.stdout.splitlines() or [""])[-1]
