"""Honest clients beside hostile ones: texts that ended workers, readers of text killed, slow clients, requests that are none."""

import hashlib
import http.client
import itertools
import json
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil

from .machine import usable_cores
from .pages import pages_together
from .report import Figure, Report, Target, figure, progress
from .servers import HOST, Server, ask_ours, ours, started
from .slow_readers import Readers, long_text, over_tcp
from .texts import SENTENCES
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.2), help="How long a round takes."),
)
_HONEST = 2
_SLOW_READERS = 20
_DRIPPING = 50
#: A part of the time is for honest clients alone, to compare with.
_ALONE_SHARE = 0.1
#: They ended a worker each, or filled its memory.
_KILLING = ("'s" * 68, "auto" * 51, "non" * 51, "un" * 51, "w" * 300, "9" * 84, "_-\u0d15", "\u2423-\u0d36", "[[x" * 40)
_KILLING_PATHS = ["/v1/audio/captions"] * 4 + ["/v1/audio/speech"]
_BROKEN = (
    b"GET /api/tts?text=Gr\xc3\xbc\xc3\x9fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0xe\r\n{\"input\":\"a\"}\r\n0\r\n\r\n",
    b"GET /livez\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
)


@dataclass
class _Tally:
    """What became of the requests of one round."""

    alone_s: list[float] = field(default_factory=list)
    beside_s: list[float] = field(default_factory=list)
    #: Honest requests without a 200, or with other bytes than before.
    failed: int = 0
    #: Hostile requests by kind and what they were answered with.
    hostile: Counter[str] = field(default_factory=Counter)
    lost_workers: int = 0
    pss_before_bytes: int = 0
    pss_after_bytes: int = 0


def hostile(rounds: int, scratch: Path, minutes: float) -> Report:
    """Honest clients beside texts that ended workers, slow readers, broken requests, silence and drips: none may fail."""
    config_path = write_config(scratch, embedded_voice(scratch).model_path, usable_cores())
    measured = [_round(number, config_path, scratch, minutes * 60) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _notes(measured))


def _round(number: int, config_path: Path, scratch: Path, lasts_s: float) -> _Tally:
    tally, over = _Tally(), threading.Event()
    with started(ours(config_path), scratch / "ours.log") as server:
        server.await_ready()
        references = {text: _digest(server.speak(text)) for text in SENTENCES}
        forks = int(server.board().rows["forks"].sum())
        _ask_honestly(server, references, tally, tally.alone_s, lasts_s * _ALONE_SHARE)
        tally.pss_before_bytes = _pss(server)
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(8))
            stack.callback(over.set)
            readers = stack.enter_context(Readers())
            for reader in range(_SLOW_READERS):
                asked = {"input": long_text(), "response_format": "wav", "stream": True, "seed": reader}
                readers.add(over_tcp(server.port), asked)
            port = server.port
            acts = (
                (0.2, _Killing(port, tally)), (0.1, _Broken(port, tally)), (1.0, _Silent(port, tally)),
                (5.0, _Soundless(port, tally)), (0.5, _Dripping(port, stack)), (1.0, _Ending(server, tally)),
            )  # fmt: skip
            disturbing = [pool.submit(_again_and_again, over, every_s, act) for every_s, act in acts]
            _ask_honestly(server, references, tally, tally.beside_s, lasts_s * (1 - _ALONE_SHARE))
            over.set()
            for each in disturbing:
                each.result()
        tally.lost_workers = int(server.board().rows["forks"].sum()) - forks
        # What readers left is given back when the next request is over.
        _ask_honestly(server, references, tally, [], 2.0)
        tally.pss_after_bytes = _pss(server)
    progress(f"round {number}: {len(tally.beside_s)} honest requests, {tally.failed} failed, {tally.lost_workers} workers lost")
    return tally


def _ask_honestly(server: Server, references: dict[str, str], tally: _Tally, took_s: list[float], lasts_s: float) -> None:
    until_s, texts, lock = time.monotonic() + lasts_s, itertools.cycle(SENTENCES), threading.Lock()

    def ask() -> None:
        while time.monotonic() < until_s:
            with lock:
                text = next(texts)
            began_s = time.monotonic()
            status, body = _exchange(server.port, "/v1/audio/speech", ask_ours(text, seed=0).body or b"")
            took_s.append(time.monotonic() - began_s)
            tally.failed += status != http.HTTPStatus.OK or _digest(body) != references[text]

    with ThreadPoolExecutor(_HONEST) as pool:
        for each in [pool.submit(ask) for _ in range(_HONEST)]:
            each.result()


def _again_and_again(over: threading.Event, every_s: float, act: Callable[[], None]) -> None:
    while not over.wait(every_s):
        act()


@dataclass
class _Killing:
    """Asks for a text that ended a worker once, to be spoken or, which takes less time, to be captioned."""

    port: int
    tally: _Tally
    paths: "itertools.cycle[str]" = field(default_factory=lambda: itertools.cycle(_KILLING_PATHS))
    texts: "itertools.cycle[str]" = field(default_factory=lambda: itertools.cycle(_KILLING))

    def __call__(self) -> None:
        path, body = next(self.paths), json.dumps({"input": f"Say {next(self.texts)} now."}).encode()
        self.tally.hostile[f"a text that ended a worker once: {_exchange(self.port, path, body)[0]}"] += 1


@dataclass
class _Ending:
    """Kills a process that reads text for a worker, as a text in some languages does, whatever it is doing."""

    server: Server
    tally: _Tally

    def __call__(self) -> None:
        with suppress(psutil.NoSuchProcess):  # one that has just ended by itself
            keepers = [keeper for pid in self.server.workers() for keeper in psutil.Process(pid).children()]
            for reader in [reader for keeper in keepers for reader in keeper.children()][:1]:
                reader.kill()
                self.tally.hostile["a reading process: killed"] += 1


@dataclass
class _Broken:
    """Sends bytes that are no request."""

    port: int
    tally: _Tally
    requests: "itertools.cycle[bytes]" = field(default_factory=lambda: itertools.cycle(_BROKEN))

    def __call__(self) -> None:
        with socket.create_connection((HOST, self.port), timeout=60) as connected:
            connected.sendall(next(self.requests))
            status = connected.recv(4096)[9:12].decode("ascii", "replace")
        self.tally.hostile[f"a broken request: {status or 'hung up on'}"] += 1


@dataclass
class _Silent:
    """Asks for 650 MB of silence."""

    port: int
    tally: _Tally

    def __call__(self) -> None:
        asked = {"input": "A! " * 650, "response_format": "wav", "sample_rate": 48_000, "sentence_pause": 10, "stream": False}
        status, _ = _exchange(self.port, "/v1/audio/speech", json.dumps(asked).encode())
        self.tally.hostile[f"650 MB of silence: {status}"] += 1


@dataclass
class _Soundless:
    """Asks for a long text without a sound, and does not wait longer than a second for it."""

    port: int
    tally: _Tally

    def __call__(self) -> None:
        body = json.dumps({"input": "\u200b!" * 9_000, "sentence_pause": 0}).encode()
        status, _ = _exchange(self.port, "/v1/audio/speech", body, {"X-Request-Timeout": "1"})
        self.tally.hostile[f"a text without a sound: {status}"] += 1


@dataclass
class _Dripping:
    """Sends a byte of its head on each of many connections, and begins anew those that were hung up on."""

    port: int
    stack: ExitStack
    connections: list[socket.socket] = field(default_factory=list)

    def __call__(self) -> None:
        while len(self.connections) < _DRIPPING:
            self.connections.append(self.stack.enter_context(closing(socket.create_connection((HOST, self.port), timeout=60))))
        for connected in list(self.connections):
            try:
                connected.sendall(b"G")
            except OSError:
                connected.close()
                self.connections.remove(connected)


def _exchange(port: int, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Return the status, 0 if there is none, and the body."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=120)) as connection:
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _pss(server: Server) -> int:
    return pages_together(server.processes()).pss_bytes


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _figures(rounds: Sequence[_Tally]) -> tuple[Figure, ...]:
    return (
        figure("honest requests beside hostile ones", "", rounds, lambda each: float(len(each.beside_s))),
        figure("honest requests that failed", "", rounds, lambda each: float(each.failed), Target("<=", 0)),
        figure("workers lost", "", rounds, lambda each: float(each.lost_workers), Target("<=", 0)),
        figure("p95 alone", "s", rounds, lambda each: _p95(each.alone_s)),
        figure("p95 beside hostile ones", "s", rounds, lambda each: _p95(each.beside_s)),
        figure("PSS of all processes before", "MB", rounds, lambda each: each.pss_before_bytes / 1e6),
        figure("PSS of all processes after", "MB", rounds, lambda each: each.pss_after_bytes / 1e6),
    )


def _notes(rounds: Sequence[_Tally]) -> tuple[str, ...]:
    hostile_requests = sum((each.hostile for each in rounds), Counter[str]())
    answers = "; ".join(f"{what} ({count})" for what, count in sorted(hostile_requests.items()))
    return (
        f"The embedded voice, a worker a core, all else by default. {_HONEST} honest clients, whole files, closed loop; "
        "every answer is compared with the first of its text.",
        f"Beside them {_SLOW_READERS} readers of 1 kB/s, {_DRIPPING} connections that drip a head, and: {answers}.",
    )
