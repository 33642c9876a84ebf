"""The `chorus` command in its own process, with pipes or a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import psutil

from tests.conftest import ROOT

CHORUS = (sys.executable, "-m", "app.cli")
#: Ends a test whose command hangs; no test waits for it to pass.
TIMEOUT_S = 240


def chorus(*arguments, text=True, **options):
    """Run the command to its end."""
    return subprocess.run(
        [*CHORUS, *map(str, arguments)],
        **{"cwd": ROOT, "capture_output": True, "timeout": TIMEOUT_S, "check": False, "text": text, **options},
    )


def start(*arguments, **options):
    """Start the command in a session of its own, which is what Ctrl-C reaches."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen([*CHORUS, *map(str, arguments)], start_new_session=True, **{"cwd": ROOT, **pipes, **options})


def close_output(process):
    """Close the command's output, as a reader that ends early does; return its status and standard error."""
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read()
    return process.wait(timeout=TIMEOUT_S), errors.decode()


def interrupt(process, how=signal.SIGINT):
    """Press Ctrl-C, or send another signal; return the status, standard error and the processes that are still alive."""
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, how)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    psutil.wait_procs(family, timeout=TIMEOUT_S)
    # Python ends by the signal if Ctrl-C came during an `exec` of a string, as dataclasses do; shells show 130 for both.
    status = 130 if process.returncode == -signal.SIGINT else process.returncode
    return status, errors.decode(), [each for each in family if each.is_running()]


def run_at_terminal(source, *arguments, until=None):
    """Run Python `source` with its standard error on a terminal, and return what the terminal shows.

    Its standard input is closed as soon as the terminal shows `until`.
    """
    master, slave = pty.openpty()
    command = [sys.executable, "-c", source, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if until and until in shown.decode(errors="replace"):
                process.stdin.close()
    os.close(master)
    assert 0 == process.returncode, shown
    return shown.decode()


def eventually(predicate, process):
    """Wait for the predicate, and return its first true value."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s:
        if found := predicate():
            return found
        assert process.poll() is None, process.stderr.read()
        select.select([], [], [], 0.005)
    raise AssertionError("did not come true")
