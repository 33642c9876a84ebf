"""Start a real server in a process group of its own, wait until it is ready, and end it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.system.processes import children_of
from loader.errors import LoaderError

#: The checkout: the folder of `app` and `gunicorn.conf.py`.
ROOT = Path(__file__).resolve().parents[2]
PROCESS_MODEL = ROOT / "gunicorn.conf.py"
HOST = "127.0.0.1"
#: Host and port, or the path of a unix socket.
Address = tuple[str, int] | Path

_Value = TypeVar("_Value")
_POLL_S = 0.005
_LOG_CHARACTERS = 2000


class ServerFailedError(LoaderError):
    """The server ended, or did not become ready; the message holds the end of its log."""

    exit_status = 70


@dataclass(frozen=True)
class Server:
    """A running server in a process group of its own: a master with workers, or one process."""

    process: subprocess.Popen[bytes]
    address: Address
    #: Its standard output and standard error.
    log: Path
    #: `time.monotonic()` just before it was executed.
    started_s: float

    @property
    def pid(self) -> int:
        """The process id of the master, or of the only process."""
        return self.process.pid

    @property
    def port(self) -> int:
        """Its TCP port."""
        assert not isinstance(self.address, Path)
        return self.address[1]

    def worker_pids(self) -> list[int]:
        """Return the process ids of its workers; none if one process does it all."""
        return children_of(self.pid)

    def connect(self, timeout_s: float = 60.0) -> http.client.HTTPConnection:
        """Return an HTTP connection to it."""
        return connection_to(self.address, timeout_s)

    def wait_ready(self, path: str = "/readyz", workers: int = 0, within_s: float = 180.0) -> float:
        """Wait until a GET of `path` is answered with 200 and that many workers live; return the seconds since its start.

        Raises:
            ServerFailedError: it ended, or the time is up.
        """
        self.wait_for(lambda: len(self.worker_pids()) >= workers and _is_ready(self.address, path), within_s, "become ready")
        return time.monotonic() - self.started_s

    def wait_for(self, value: Callable[[], _Value], within_s: float = 60.0, what: str = "reach the expected state") -> _Value:
        """Return the first value that is true, asked for every 5 ms.

        Raises:
            ServerFailedError: it ended, or the time is up.
        """
        deadline_s = time.monotonic() + within_s
        while not (found := value()):
            self.check()
            if time.monotonic() > deadline_s:
                raise self.failure(f"the server did not {what} within {within_s:g} s")
            time.sleep(_POLL_S)
        return found

    def check(self) -> None:
        """Raise ServerFailedError if it has ended."""
        status = self.process.poll()
        if status is not None:
            raise self.failure(f"the server ended with status {status}")

    def failure(self, what: str) -> ServerFailedError:
        """Return an error with `what` and the end of the log."""
        return ServerFailedError(f"{what}; the end of its log:\n{self.read_log()[-_LOG_CHARACTERS:]}")

    def read_log(self) -> str:
        """Return all of its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def launch(
    command: Sequence[str],
    log: Path,
    address: Address,
    environment: Mapping[str, str] | None = None,
    processors: Sequence[int] | None = None,
    grace_s: float = 10.0,
) -> Iterator[Server]:
    """Run any server that listens at `address`; it may not be ready yet. Afterwards end it, and kill it after `grace_s`.

    `environment` is added to that of this process; `processors` limits the server, and not its clients.
    """
    with log.open("wb") as sink, _affinity(processors):
        started_s = time.monotonic()
        # A session of its own: Ctrl-C is for this process, which then ends the server.
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
        )  # fmt: skip
    try:
        yield Server(process, address, log, started_s)
    finally:
        end_group(process, grace_s)


@contextmanager
def launch_chorus(
    config: Path,
    log: Path,
    *arguments: str,
    address: Address | None = None,
    environment: Mapping[str, str] | None = None,
    processors: Sequence[int] | None = None,
    grace_s: float = 10.0,
) -> Iterator[Server]:
    """Run gunicorn with the configuration `config` and further command-line `arguments`, on a free port by default."""
    address = address or (HOST, free_port())
    bind = f"unix:{address}" if isinstance(address, Path) else f"{address[0]}:{address[1]}"
    command = [sys.executable, "-m", "gunicorn", "--config", str(PROCESS_MODEL), "--bind", bind, *arguments]
    environment = {"CHORUS_CONFIG": str(config), **(environment or {})}
    with launch(command, log, address, environment, processors, grace_s) as server:
        yield server


def end_group(process: subprocess.Popen[bytes] | subprocess.Popen[str], grace_s: float) -> None:
    """End a process that leads a process group: SIGTERM, then SIGKILL to whatever of the group lives after `grace_s`."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    finally:
        # Workers are in the group of their master and may have survived it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Return a TCP port that no process listens on now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def connection_to(address: Address, timeout_s: float) -> http.client.HTTPConnection:
    """Return an HTTP connection over TCP or a unix socket; `timeout_s` is the longest silence."""
    if isinstance(address, Path):
        return _UnixConnection(address, timeout_s)
    return http.client.HTTPConnection(*address, timeout=timeout_s)


def _is_ready(address: Address, path: str) -> bool:
    connection = connection_to(address, 5.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _affinity(processors: Sequence[int] | None) -> Iterator[None]:
    """Limit this thread to `processors` meanwhile: a child inherits its affinity."""
    before = os.sched_getaffinity(0)
    if processors is not None:
        os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
