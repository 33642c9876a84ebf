"""Programs that tests run in child processes."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
#: Ends a test whose child hangs; no test waits for it to pass.
TIMEOUT_S = 240


def run_program(source, *arguments, python=sys.executable, **options):
    """Run Python `source` with `arguments` and return the finished process."""
    return subprocess.run(
        [python, "-c", textwrap.dedent(source), *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **options,
    )  # fmt: skip


def answer_of(source, *arguments, **options):
    """Run `source`, which must succeed, and return the JSON in its last line."""
    done = run_program(source, *arguments, **options)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
