"""The servers that are measured: how each is started, when it is ready, how it is asked to speak."""

import http.client
import json
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from app.scoreboard.board import Scoreboard
from app.tuning.serving import free_port

from .processes import ROOT, Child, serving

_Found = TypeVar("_Found")

HOST = "127.0.0.1"
_POLL_S = 0.005
_LOOK_S = 0.0005
#: How long a server may send nothing.
ANSWER_S = 600.0


@dataclass(frozen=True)
class Ask:
    """One HTTP request."""

    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of server."""

    name: str
    #: From the port to the command line.
    command: Callable[[int], Sequence[str]]
    #: Answers with 200 once the server can speak.
    ready_path: str
    #: From a text and a seed to the request that has it spoken as a whole WAV file.
    ask: Callable[[str, int], Ask]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A server under measurement."""

    kind: Kind
    child: Child
    port: int

    def fetch(self, ask: Ask) -> bytes:
        """Return the body of a successful answer.

        Raises:
            ChildFailedError: the answer is an error.
        """
        status, body = _exchange(self.port, ask)
        if status != 200:
            raise self.child.failure(f"{self.kind.name} answered {ask.path[:60]} with {status}: {body[:200]!r}")
        return body

    def speak(self, text: str, seed: int = 0) -> bytes:
        """Return `text` as a WAV file."""
        return self.fetch(self.kind.ask(text, seed))

    def speak_all(self, texts: Sequence[str], clients: int) -> list[bytes]:
        """Have `texts` spoken by so many clients, each asking again as soon as it is answered."""
        pool = ThreadPoolExecutor(clients)
        try:
            return list(pool.map(self.speak, texts, range(len(texts))))
        finally:
            # Not waiting lets an interrupt through to whoever ends the server.
            pool.shutdown(wait=False, cancel_futures=True)

    def board(self) -> Scoreboard:
        """Return what our server's workers show, to read without asking them anything.

        Raises:
            ChildFailedError: it shows nothing.
        """
        board = Scoreboard.of_process(self.child.pid)
        if board is None:
            raise self.child.failure(f"{self.kind.name} has no scoreboard")
        return board

    def await_(self, found: Callable[[], _Found], within_s: float = 60.0) -> _Found:
        """Return the first value of `found` that is true, looking every half millisecond.

        Raises:
            ChildFailedError: the time is up.
        """
        until_s = time.perf_counter() + within_s
        while not (value := found()):
            if time.perf_counter() > until_s:
                raise self.child.failure(f"{self.kind.name} did not do within {within_s:g} s what was waited for")
            time.sleep(_LOOK_S)
        return value

    def workers(self) -> list[int]:
        """Return the process ids of its workers: none where one process does it all."""
        return [child.pid for child in psutil.Process(self.child.pid).children()]

    def processes(self) -> list[int]:
        """Return the process ids of all of it: the first process, its workers, and those that read text for them."""
        return [self.child.pid, *(child.pid for child in psutil.Process(self.child.pid).children(recursive=True))]

    def await_ready(self, within_s: float = 120.0) -> float:
        """Return how many seconds after its start the server first said it was ready.

        Raises:
            ChildFailedError: it ended, or the time is up.
        """
        ask = Ask("GET", self.kind.ready_path)
        while self.child.since_start_s() < within_s:
            if _is_ready(self.port, ask):
                return self.child.since_start_s()
            if self.child.process.poll() is not None:
                break
            time.sleep(_POLL_S)
        raise self.child.failure(f"{self.kind.name} did not become ready")


@contextmanager
def started(kind: Kind, log: Path) -> Iterator[Server]:
    """Start a server of `kind`; it is not ready yet. Ends it afterwards."""
    port = free_port()
    with serving(kind.command(port), log, kind.environment) as child:
        yield Server(kind, child, port)


def ours(config_path: Path) -> Kind:
    """Return this server, as `ops/serve` executes it."""
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    return Kind(
        name="ours",
        command=lambda port: [gunicorn, "-c", str(ROOT / "gunicorn.conf.py"), "--bind", f"{HOST}:{port}"],
        ready_path="/readyz",
        ask=ask_ours,
        environment={"CHORUS_CONFIG": str(config_path)},
    )


def coqui(release: Path) -> Kind:
    """Return Coqui's own server over a model directory."""
    files = ["--model_path", str(release / "model_file.pth"), "--config_path", str(release / "config.json")]
    return Kind(
        name="coqui",
        command=lambda port: [sys.executable, "-m", "ops.benchmarks.native_server", *files, "--port", str(port)],
        ready_path="/",
        ask=lambda text, seed: Ask("GET", "/api/tts?" + urllib.parse.urlencode({"text": text})),
    )


def piper(model: Path) -> Kind:
    """Return Piper's HTTP server over its ONNX file."""
    module = [sys.executable, "-m", "piper.http_server", "-m", str(model), "--host", HOST]
    return Kind(
        name="piper",
        command=lambda port: [*module, "--port", str(port)],
        ready_path="/info",
        ask=lambda text, seed: Ask("POST", "/synthesize", json.dumps({"text": text}).encode()),
    )


def ask_ours(text: str, seed: int, **more: Any) -> Ask:
    """Return the request for `text` as a WAV file, with `more` fields in it."""
    body = {"input": text, "seed": seed, "response_format": "wav", **more}
    return Ask("POST", "/v1/audio/speech", json.dumps(body).encode())


def request(connection: http.client.HTTPConnection, ask: Ask) -> http.client.HTTPResponse:
    """Send `ask` and return the answer, its body still to be read."""
    connection.request(ask.method, ask.path, ask.body, {"Content-Type": "application/json"} if ask.body else {})
    return connection.getresponse()


def _exchange(port: int, ask: Ask) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        answer = request(connection, ask)
        return answer.status, answer.read()
    finally:
        connection.close()


def _is_ready(port: int, ask: Ask) -> bool:
    try:
        return _exchange(port, ask)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
