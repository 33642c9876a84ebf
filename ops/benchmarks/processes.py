"""Children that never outlive the measurement: servers, and processes one talks to by lines."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.tuning.serving import end_group

ROOT = Path(__file__).resolve().parents[2]

#: How long a child may take to end by itself before it is killed.
_GRACE_S = 5.0


class ChildFailedError(Exception):
    """A process under measurement ended, or did not answer; the message holds the end of its log."""


@dataclass(frozen=True)
class Child:
    """A running process in a process group of its own."""

    process: subprocess.Popen[str]
    #: Its standard error, and a server's standard output.
    log: Path
    #: `time.perf_counter()` just before it was executed.
    started_s: float

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def since_start_s(self) -> float:
        """Return the seconds since it was executed."""
        return time.perf_counter() - self.started_s

    def failure(self, what: str) -> ChildFailedError:
        """Return the error that says `what` went wrong and shows the end of the log."""
        end = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return ChildFailedError(f"{what}; exit status {self.process.poll()}; its last words:\n{end}")


@contextmanager
def serving(command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run a server; its output goes to `log`, and `settings` into its environment."""
    with log.open("wb") as sink, _started(command, log, settings or {}, None, sink.fileno()) as child:
        yield child


@contextmanager
def conversing(command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run a process that answers lines on its standard input with lines on its standard output."""
    with _started(command, log, settings or {}, subprocess.PIPE, subprocess.PIPE) as child:
        yield child


def say(child: Child, lines: Sequence[str]) -> None:
    """Write `lines` to the child without waiting for answers."""
    assert child.process.stdin is not None
    # A child that ended already is found out, with its reason, when it is listened to.
    with suppress(BrokenPipeError):
        child.process.stdin.write("".join(f"{line}\n" for line in lines))
        child.process.stdin.flush()


def hear(child: Child) -> str:
    """Return the child's next line.

    Raises:
        ChildFailedError: it ended instead.
    """
    assert child.process.stdout is not None
    if line := child.process.stdout.readline():
        return line
    child.process.wait()
    raise child.failure("the process ended before it had spoken")


def core_s(pid: int) -> float:
    """Return the seconds of core time that the process `pid` and its living descendants have used."""
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def end_descendants() -> None:
    """Kill whatever is still left; an interrupt may fall between a start and its `with`."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def _started(
    command: Sequence[str], log: Path, settings: Mapping[str, str], stdin: int | None, stdout: int
) -> Iterator[Child]:
    with log.open("ab") as sink:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **settings}, text=True,
            stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=stdout, stderr=sink, start_new_session=True,
        )  # fmt: skip
    try:
        yield Child(process, log, started_s)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    try:
        end_group(process, _GRACE_S)
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
