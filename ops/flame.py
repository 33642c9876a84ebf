"""Command line of `ops/flame`: py-spy over every worker of a running server, from outside."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import psutil

from loader.errors import LoaderError

_PY_SPY = str(Path(sys.executable).with_name("py-spy"))
#: Messages of py-spy if the kernel forbids to read another process.
_FORBIDDEN = ("permission denied", "operation not permitted")
#: Message of py-spy if no thread was seen at work.
_IDLE = "no stack counts found"
_CONFIGURATION = "gunicorn.conf.py"
#: How long py-spy may take to end.
_GRACE_S = 5.0
NO_SERVER, SPY_FAILED, CANNOT_WRITE, FORBIDDEN = 69, 70, 73, 77


class FlameError(LoaderError):
    """Ends the command with one line and an exit status."""

    def __init__(self, message: str, exit_status: int) -> None:
        """End with `message` and `exit_status`."""
        super().__init__(message)
        self.exit_status = exit_status


@click.command()
@click.option("--pid", type=click.IntRange(1), help="The server's master. Default: the only running server.")
@click.option("--seconds", default=10, show_default=True, type=click.IntRange(1, 3600), help="How long to record.")
@click.option("--rate", default=100, show_default=True, type=click.IntRange(1, 1000), help="Samples a second.")
@click.option(
    "--output", default="flame", show_default=True, type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the files.",
)  # fmt: skip
def main(pid: int | None, seconds: int, rate: int, output: Path) -> None:
    """Dump every worker's stacks, and record all workers at the same time.

    Writes two files for each worker: worker-PID.txt, the stack of each of its threads now, and worker-PID.svg, a flame
    graph. A width of TTS() or open_voice in it means that voices are opened again and again.

    Exit status: 64 the command line, 69 no such server, 70 py-spy failed, 73 the folder cannot be written,
    77 the kernel forbids to read the server, 130 Ctrl-C.
    """
    workers = workers_of(only_master() if pid is None else psutil.Process(pid))
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlameError(f"{output}: {error.strerror}; name another with --output", CANNOT_WRITE) from error
    made: list[Path] = []
    try:
        for worker in workers:
            made.append(output / f"worker-{worker}.txt")
            command = [_PY_SPY, "dump", "--pid", str(worker)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            _check(worker, done.returncode, done.stderr)
            made[-1].write_text(done.stdout, encoding="utf-8")
        print(f"flame: recording {len(workers)} workers for {seconds} s", file=sys.stderr, flush=True)
        made += [output / f"worker-{worker}.svg" for worker in workers]
        for worker in _record(workers, output, seconds, rate):
            print(f"flame: process {worker} was idle for {seconds} s, so it has no flame graph", file=sys.stderr)
            made.remove(output / f"worker-{worker}.svg")
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    for path in made:
        print(path)


def only_master() -> psutil.Process:
    """Return the master of the only server on this machine.

    Raises:
        FlameError: there is none, or more than one.
    """
    found = [process for process in psutil.process_iter() if _is_ours(process) and not _is_ours(process.parent())]
    if not found:
        raise FlameError("no server is running; start one, or name its master with --pid", NO_SERVER)
    if len(found) > 1:
        pids = ", ".join(str(process.pid) for process in found)
        raise FlameError(f"several servers are running; name one of their masters with --pid: {pids}", NO_SERVER)
    return found[0]


def workers_of(master: psutil.Process) -> list[int]:
    """Return the process ids of a server's workers.

    Raises:
        FlameError: it has none.
    """
    workers = sorted(child.pid for child in master.children() if _is_ours(child))
    if not workers:
        raise FlameError(f"process {master.pid} has no workers; --pid is the master's, as in the log", NO_SERVER)
    return workers


def _is_ours(process: psutil.Process | None) -> bool:
    with suppress(psutil.Error):
        return process is not None and any(Path(word).name == _CONFIGURATION for word in process.cmdline())
    return False


def _record(workers: Sequence[int], folder: Path, seconds: int, rate: int) -> list[int]:
    """Record all workers at the same time; return those that were idle, which leave no file."""
    idle: list[int] = []
    running: list[subprocess.Popen[str]] = []
    words = ["--duration", str(seconds), "--rate", str(rate), "--threads"]
    try:
        for worker in workers:
            command = [_PY_SPY, "record", "--pid", str(worker), *words, "--output", str(folder / f"worker-{worker}.svg")]
            running.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            ))  # fmt: skip
        for worker, process in zip(workers, running, strict=True):
            assert process.stderr is not None
            status, message = process.wait(), process.stderr.read()
            if status and _IDLE in message.lower():
                (folder / f"worker-{worker}.svg").unlink(missing_ok=True)
                idle.append(worker)
            else:
                _check(worker, status, message)
    finally:
        for process in running:
            _end(process)
    return idle


def _end(process: subprocess.Popen[str]) -> None:
    """End a py-spy, gently first: its worker may be stopped while it is read."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        process.kill()
        process.wait()
    assert process.stderr is not None
    process.stderr.close()


def _check(worker: int, status: int, message: str) -> None:
    if status == 0:
        return
    if any(words in message.lower() for words in _FORBIDDEN):
        remedy = "run ops/flame as root, or in a container with the capability SYS_PTRACE"
        raise FlameError(f"process {worker}: the kernel forbids to read it; {remedy}", FORBIDDEN)
    raise FlameError(f"process {worker}: py-spy failed: {message.strip()}", SPY_FAILED)


def _run() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        main.main(standalone_mode=False, prog_name="ops/flame")
    except psutil.NoSuchProcess as error:
        print(f"flame: there is no process {error.pid}", file=sys.stderr)
        return NO_SERVER
    except click.UsageError as error:
        print(f"flame: {error.format_message()}", file=sys.stderr)
        return 64
    except FlameError as error:
        print(f"flame: {error}", file=sys.stderr)
        return error.exit_status
    except (click.Abort, KeyboardInterrupt):
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(_run())
