"""The command line of `ops/flame`: py-spy over every worker of a running server, from outside."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click
import psutil

_PY_SPY = str(Path(sys.executable).with_name("py-spy"))
#: What py-spy says where the kernel forbids it to read another process.
_FORBIDDEN = ("permission denied", "operation not permitted")
#: What py-spy says where no thread was ever seen at work.
_IDLE = "no stack counts found"
_CONFIGURATION = "gunicorn.conf.py"
#: How long py-spy may take to end.
_GRACE_S = 5.0


class FlameError(click.ClickException):
    """What ends the command with one line."""

    def show(self, file: Any = None) -> None:
        """Say it as the other commands do."""
        print(f"flame: {self.message}", file=file or sys.stderr)


class NotThereError(FlameError):
    """There is no such server, or not one alone."""

    exit_code = 69


class CannotWriteError(FlameError):
    """The folder cannot be made."""

    exit_code = 73


class ForbiddenError(FlameError):
    """The kernel does not let this user look into the worker."""

    exit_code = 77

    def __init__(self, pid: int) -> None:
        super().__init__(
            f"process {pid}: the kernel lets nobody else read it; run ops/flame as root, "
            "or in a container with the capability SYS_PTRACE"
        )


class SpyFailedError(FlameError):
    """py-spy failed for another reason."""

    exit_code = 70

    def __init__(self, pid: int, said: str) -> None:
        super().__init__(f"process {pid}: py-spy says: {said.strip()}")


@click.command()
@click.option("--pid", type=click.IntRange(1), help="The server's master. Default: the one server that runs.")
@click.option("--seconds", default=10, show_default=True, type=click.IntRange(1, 3600), help="How long to record.")
@click.option("--rate", default=100, show_default=True, type=click.IntRange(1, 1000), help="Samples a second.")
@click.option(
    "--output", default="flame", show_default=True, type=click.Path(path_type=Path, file_okay=False),
    help="The folder for what is written.",
)  # fmt: skip
def main(pid: int | None, seconds: int, rate: int, output: Path) -> None:
    """Dump every worker's stacks, and record all workers at the same time.

    Writes two files for each worker: worker-PID.txt, what each of its threads does just now, and worker-PID.svg, a flame
    graph of where its time goes. A width of TTS() or open_voice in it means that voices are opened again and again.

    Exit status: 64 the command line, 69 no such server, 70 py-spy failed, 73 the folder cannot be written,
    77 the kernel forbids to look into the server, 130 Ctrl-C.
    """
    workers = workers_of(the_master() if pid is None else psutil.Process(pid))
    made: list[Path] = []
    with _removed_unless_finished(made):
        _make_folder(output)
        for worker in workers:
            made.append(output / f"worker-{worker}.txt")
            made[-1].write_text(_spied(worker, ["dump", "--pid", str(worker)]), encoding="utf-8")
        print(f"flame: recording {len(workers)} workers for {seconds} s", file=sys.stderr, flush=True)
        made += [output / f"worker-{worker}.svg" for worker in workers]
        for worker in _record(workers, output, seconds, rate):
            print(f"flame: process {worker} did nothing for {seconds} s, so it has no flame graph", file=sys.stderr)
            made.remove(output / f"worker-{worker}.svg")
    for path in made:
        print(path)


def the_master() -> psutil.Process:
    """Return the master of the one server that runs on this machine.

    Raises:
        NotThereError: there is none, or more than one.
    """
    found = [process for process in psutil.process_iter() if _is_ours(process) and not _is_ours(process.parent())]
    if not found:
        raise NotThereError("no server is running; start one, or name its master with --pid")
    if len(found) > 1:
        pids = ", ".join(str(process.pid) for process in found)
        raise NotThereError(f"several servers are running; name one of their masters with --pid: {pids}")
    return found[0]


def workers_of(master: psutil.Process) -> list[int]:
    """Return the process ids of a server's workers.

    Raises:
        NotThereError: it has none.
    """
    workers = sorted(child.pid for child in master.children() if _is_ours(child))
    if not workers:
        raise NotThereError(f"process {master.pid} has no workers; --pid is the master's, as the log says it")
    return workers


def _is_ours(process: psutil.Process | None) -> bool:
    with suppress(psutil.Error):
        return process is not None and any(Path(word).name == _CONFIGURATION for word in process.cmdline())
    return False


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWriteError(f"{folder}: {error.strerror}; name another with --output") from error


def _record(workers: Sequence[int], folder: Path, seconds: int, rate: int) -> list[int]:
    """Record all workers at the same time; return those that did nothing meanwhile, which leave no file."""
    idle: list[int] = []
    running: list[subprocess.Popen[str]] = []
    try:
        for worker in workers:
            running.append(_recording(worker, folder / f"worker-{worker}.svg", seconds, rate))
        for worker, process in zip(workers, running, strict=True):
            status, said = process.wait(), _said(process)
            if status and _IDLE in said.lower():
                (folder / f"worker-{worker}.svg").unlink(missing_ok=True)
                idle.append(worker)
            else:
                _check(worker, status, said)
    finally:
        for process in running:
            _end(process)
    return idle


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()


def _end(process: subprocess.Popen[str]) -> None:
    """Have a py-spy let go of its worker, which may stand still while it is looked at, and end."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        process.kill()
        process.wait()
    assert process.stderr is not None
    process.stderr.close()


def _recording(worker: int, path: Path, seconds: int, rate: int) -> subprocess.Popen[str]:
    words = ["record", "--pid", str(worker), "--duration", str(seconds), "--rate", str(rate), "--threads", "--output", str(path)]
    return subprocess.Popen(
        [_PY_SPY, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def _spied(worker: int, words: Sequence[str]) -> str:
    done = subprocess.run([_PY_SPY, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    _check(worker, done.returncode, done.stderr)
    return done.stdout


def _check(worker: int, status: int, said: str) -> None:
    if status == 0:
        return
    if any(words in said.lower() for words in _FORBIDDEN):
        raise ForbiddenError(worker)
    raise SpyFailedError(worker, said)


@contextmanager
def _removed_unless_finished(paths: list[Path]) -> Iterator[None]:
    """Leave no file that is not whole."""
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _run(arguments: Sequence[str] | None = None) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        main.main(arguments, standalone_mode=False, prog_name="ops/flame")
    except psutil.NoSuchProcess as error:
        print(f"flame: there is no process {error.pid}", file=sys.stderr)
        return 69
    except click.UsageError as error:
        print(f"flame: {error.format_message()}", file=sys.stderr)
        return 64
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(_run())
