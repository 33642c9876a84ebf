"""Honest clients beside hostile ones: slow senders behind nginx, slow readers, texts that ended workers, broken requests."""

import hashlib
import itertools
import json
import math
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import click
import psutil

from app.tuning.loadgen import ANSWERED, Request, send
from app.tuning.server import HOST, Address, ServerFailedError

from .clients import READ_BYTES_S, READERS, SENDERS, Connect, Readers, over_tcp, over_unix, slow_senders
from .memory import total_memory
from .nginx import Place, behind_nginx
from .report import Report, Run, Value, progress, usable_cores
from .servers import Server, ask_ours, ours, started
from .voices import SENTENCES, embedded_voice, long_text, write_config

OPTIONS = (
    click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.2), help="How long a round takes."),
)
_HONEST = 2
#: How often honest clients take all sentences in a round, beside slow clients and alone in turn.
_TURNS = 3
#: Slow readers that begin at the same time.
_AT_A_TIME = 4
#: How long it may take until the server waits for all of these, or none.
_SETTLED_S = 120.0

_DRIPPING = 50
#: Share of the time in which honest clients are alone.
_ALONE_SHARE = 0.1
#: Each ended a worker once, or filled its memory.
_KILLING = ("'s" * 68, "auto" * 51, "non" * 51, "un" * 51, "w" * 300, "9" * 84, "_-\u0d15", "\u2423-\u0d36", "[[x" * 40)
#: Captions take less time than speech.
_KILLING_PATHS = ["/v1/audio/captions"] * 4 + ["/v1/audio/speech"]
_BROKEN = (
    b"GET /api/tts?text=Gr\xc3\xbc\xc3\x9fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0xe\r\n{\"input\":\"a\"}\r\n0\r\n\r\n",
    b"GET /livez\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
)


def nginx(run: Run) -> Report:
    """Latency of honest clients behind nginx, beside 200 that send byte by byte.

    Pairing: honest clients take all sentences alone and beside slow senders, in turn, several times a round.
    Figures: p50 and p95 in seconds; p95 beside / alone. Target: <= 1.2.
    """
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, usable_cores())

    def measure(_number: int) -> Iterable[Value]:
        with behind_nginx(config_path, run.scratch) as (place, _server):
            found = _in_turn(run, partial(_ask_nginx, place, itertools.count()), lambda: slow_senders(place.socket))
        return latency_values("", "slow clients", *found, "<= 1.2")

    return run.report(
        measure,
        f"nginx with the files of ops/nginx; the embedded voice, a worker a core. {_honest_note(run)}",
        f"{SENDERS} slow clients from as many addresses: half never complete their heads, half their bodies; they connect again "
        "when they are disconnected.",
    )


def slow_readers(run: Run) -> Report:
    """Latency of honest clients beside 20 that read a long stream at 1 kB/s.

    Pairing: honest clients take all sentences alone and beside slow readers, in turn; without nginx, then behind it.
    Figures: p50 and p95 in seconds; p95 beside / alone. Target: <= 1.3.
    """
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, usable_cores())
    places: dict[str, Callable[[], AbstractContextManager[tuple[Server, Callable[[str], float], Connect]]]] = {
        "without nginx": lambda: _server_alone(config_path, run.scratch),
        "behind nginx": lambda: _server_behind_nginx(config_path, run.scratch),
    }

    def measure(_number: int) -> Iterable[Value]:
        for where, place in places.items():
            with place() as (server, ask, connect):
                found = _in_turn(run, ask, lambda: _reading_slowly(server, connect))  # noqa: B023
            yield from latency_values(f"{where}: ", "slow readers", *found, "<= 1.3")

    return run.report(
        measure,
        f"The embedded voice, a worker a core, all else by default. {_honest_note(run)}; without nginx and behind it.",
        f"{READERS} slow readers take a stream of {len(long_text())} characters at {READ_BYTES_S} bytes a second, with small "
        "buffers. The clock starts when the server waits for each of them without a turn.",
    )


def _honest_note(run: Run) -> str:
    return (
        f"{_HONEST} honest clients take {len(_sentences(run))} sentences {run.size(_TURNS, 1)} times, whole files, closed loop; "
        "beside slow clients and alone in turn"
    )


def _sentences(run: Run) -> Sequence[str]:
    return SENTENCES[: run.size(len(SENTENCES), 6)]


def _in_turn(
    run: Run, ask: Callable[[str], float], disturbed: Callable[[], AbstractContextManager[object]]
) -> tuple[list[float], list[float]]:
    """Have honest clients take all sentences alone and beside others, in turn; return the seconds of every answer.

    The first pass fills caches.
    """

    def take_all() -> list[float]:
        with ThreadPoolExecutor(_HONEST) as pool:
            return list(pool.map(ask, _sentences(run)))

    take_all()
    alone_s: list[float] = []
    beside_s: list[float] = []
    for _turn in range(run.size(_TURNS, 1)):
        alone_s += take_all()
        with disturbed():
            beside_s += take_all()
    return alone_s, beside_s


def _ask_nginx(place: Place, numbers: Iterator[int], text: str) -> float:
    """Ask through nginx, from an address of its own because of the limits."""
    number = next(numbers)
    return _ask(place.socket, text, {"X-Test-Address": f"10.2.{number // 250}.{number % 250}"})


def _ask(address: Address, text: str, headers: Mapping[str, str]) -> float:
    """Return how long a whole answer took.

    Raises:
        ServerFailedError: there was none.
    """
    request = ask_ours(text, seed=0)
    result = send(address, replace(request, headers={**request.headers, **headers}))
    if result.outcome != ANSWERED or result.total_s is None:
        raise ServerFailedError(f"an honest client was answered with {result.status}")
    return result.total_s


@contextmanager
def _server_alone(config_path: Path, scratch: Path) -> Iterator[tuple[Server, Callable[[str], float], Connect]]:
    """Run our server; yields it, how an honest client asks it, and how a slow reader connects."""
    with started(ours(config_path), scratch / "ours.log") as server:
        server.await_ready()
        yield server, lambda text: _ask(server.address, text, {}), over_tcp(server.port)


@contextmanager
def _server_behind_nginx(config_path: Path, scratch: Path) -> Iterator[tuple[Server, Callable[[str], float], Connect]]:
    with behind_nginx(config_path, scratch) as (place, server):
        yield server, partial(_ask_nginx, place, itertools.count()), over_unix(place.socket)


@contextmanager
def _reading_slowly(server: Server, connect: Connect) -> Iterator[None]:
    """Keep slow readers connected, all of which the server waits for."""
    board = server.board()

    def await_parked(count: int) -> None:
        server.await_(lambda: int(board.rows["parked"].sum()) >= count, _SETTLED_S)

    with Readers() as readers:
        for number in range(READERS):
            readers.add(connect, {"input": long_text(), "response_format": "wav", "stream": True, "seed": number})
            # Few at a time, so that none waits too long for its turn on a busy machine.
            await_parked(number + 1 - _AT_A_TIME)
        await_parked(READERS)
        yield
    server.await_(lambda: not board.rows["parked"].sum() and not board.rows["active"].sum(), _SETTLED_S)


def _p95(latencies_s: Sequence[float]) -> float:
    return statistics.quantiles(latencies_s, n=20)[-1]


def latency_values(prefix: str, others: str, alone_s: list[float], beside_s: list[float], target: str) -> Iterable[Value]:
    """Return the values of honest clients alone and beside others, and the ratio."""
    for name, value in (("p50", statistics.median), ("p95", _p95)):
        yield Value(f"{prefix}{name} alone", "s", value(alone_s))
        yield Value(f"{prefix}{name} beside {others}", "s", value(beside_s))
    yield Value(f"{prefix}p95 beside {others} / alone", "x", _p95(beside_s) / _p95(alone_s), target)


@dataclass
class Tally:
    """Requests of one round of `hostile`."""

    alone_s: list[float] = field(default_factory=list)
    beside_s: list[float] = field(default_factory=list)
    #: Honest requests without a 200, or with other bytes than before.
    failed: int = 0
    #: Hostile requests by kind and answer.
    hostile: Counter[str] = field(default_factory=Counter)
    lost_workers: int = 0
    pss_before_bytes: int = 0
    pss_after_bytes: int = 0


def hostile(run: Run, minutes: float) -> Report:
    """Honest clients beside texts that ended workers, slow readers, broken requests, silence and drips.

    Pairing: honest clients alone for a tenth of the time, then beside hostile ones, with the same server.
    Figures: honest requests that failed or changed, lost workers, p95, MB of PSS. Target: none failed, no worker lost.
    """
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, usable_cores())

    def measure(_number: int) -> Iterable[Value]:
        with started(ours(config_path), run.scratch / "ours.log") as server:
            server.await_ready()
            tally = _measure_hostile(server, run.size(minutes, 0.5) * 60)
        for what, count in sorted(tally.hostile.items()):
            progress(f"  {what} ({count})")
        yield Value("honest requests beside hostile ones", "", len(tally.beside_s))
        yield Value("honest requests that failed", "", tally.failed, "<= 0")
        yield Value("workers lost", "", tally.lost_workers, "<= 0")
        yield Value("p95 alone", "s", _p95(tally.alone_s))
        yield Value("p95 beside hostile ones", "s", _p95(tally.beside_s))
        yield Value("PSS of all processes before", "MB", tally.pss_before_bytes / 1e6)
        yield Value("PSS of all processes after", "MB", tally.pss_after_bytes / 1e6)

    return run.report(
        measure,
        f"The embedded voice, a worker a core, all else by default. {_HONEST} honest clients, whole files, closed loop; "
        "every answer is compared with the first of its text.",
        f"Beside them {READERS} readers of 1 kB/s, {_DRIPPING} connections that drip a head, texts that ended a worker once, "
        "texts without a sound, 650 MB of silence, broken requests, and kills of the processes that read text.",
    )


def _measure_hostile(server: Server, lasts_s: float) -> Tally:
    tally, over = Tally(), threading.Event()
    references = {text: _digest(server.speak(text)) for text in SENTENCES}
    forks = int(server.board().rows["forks"].sum())
    _ask_honestly(server, references, tally, tally.alone_s, lasts_s * _ALONE_SHARE)
    tally.pss_before_bytes = total_memory(server).pss_bytes
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        stack.callback(over.set)
        readers = stack.enter_context(Readers())
        for reader in range(READERS):
            asked = {"input": long_text(), "response_format": "wav", "stream": True, "seed": reader}
            readers.add(over_tcp(server.port), asked)
        acts = [pool.submit(_repeat, over, every_s, act) for every_s, act in _acts(server, tally, stack)]
        _ask_honestly(server, references, tally, tally.beside_s, lasts_s * (1 - _ALONE_SHARE))
        over.set()
        for each in acts:
            each.result()
    tally.lost_workers = int(server.board().rows["forks"].sum()) - forks
    # Memory of the readers is returned when the next request is over.
    _ask_honestly(server, references, tally, [], 2.0)
    tally.pss_after_bytes = total_memory(server).pss_bytes
    return tally


def _ask_honestly(server: Server, references: Mapping[str, str], tally: Tally, took_s: list[float], lasts_s: float) -> None:
    until_s, texts, lock = time.monotonic() + lasts_s, itertools.cycle(references), threading.Lock()

    def ask() -> None:
        while time.monotonic() < until_s:
            with lock:
                text = next(texts)
            result = send(server.address, ask_ours(text, seed=0), keep_body=True)
            took_s.append(result.total_s or math.inf)
            tally.failed += result.outcome != ANSWERED or _digest(result.body) != references[text]

    with ThreadPoolExecutor(_HONEST) as pool:
        for each in [pool.submit(ask) for _ in range(_HONEST)]:
            each.result()


def _repeat(over: threading.Event, every_s: float, act: Callable[[], None]) -> None:
    while not over.wait(every_s):
        act()


def _acts(server: Server, tally: Tally, stack: ExitStack) -> Sequence[tuple[float, Callable[[], None]]]:
    """Return the hostile acts, each with its interval in seconds."""
    paths, texts, broken = itertools.cycle(_KILLING_PATHS), itertools.cycle(_KILLING), itertools.cycle(_BROKEN)
    dripping: list[socket.socket] = []

    def post(what: str, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        request = Request(path, json.dumps(body).encode(), headers={"Content-Type": "application/json", **(headers or {})})
        tally.hostile[f"{what}: {send(server.address, request).status}"] += 1

    def kill_by_text() -> None:
        post("a text that ended a worker once", next(paths), {"input": f"Say {next(texts)} now."})

    def send_broken_bytes() -> None:
        with socket.create_connection((HOST, server.port), timeout=60) as connected:
            connected.sendall(next(broken))
            status = connected.recv(4096)[9:12].decode("ascii", "replace")
        tally.hostile[f"a broken request: {status or 'disconnected'}"] += 1

    def ask_for_silence() -> None:
        asked = {"input": "A! " * 650, "response_format": "wav", "sample_rate": 48_000, "sentence_pause": 10, "stream": False}
        post("650 MB of silence", "/v1/audio/speech", asked)

    def ask_without_sound() -> None:
        asked = {"input": "\u200b!" * 9_000, "sentence_pause": 0}
        post("a text without a sound", "/v1/audio/speech", asked, {"X-Request-Timeout": "1"})

    def drip() -> None:
        """Send a byte of the head on each connection, and replace those that were closed."""
        while len(dripping) < _DRIPPING:
            dripping.append(stack.enter_context(closing(socket.create_connection((HOST, server.port), timeout=60))))
        for connected in list(dripping):
            try:
                connected.sendall(b"G")
            except OSError:
                connected.close()
                dripping.remove(connected)

    def kill_reading_process() -> None:
        """Kill a process that reads text for a worker, as some texts do, at any moment."""
        with suppress(psutil.NoSuchProcess):  # one that has just ended by itself
            keepers = [keeper for pid in server.launched.worker_pids() for keeper in psutil.Process(pid).children()]
            for reader in [reader for keeper in keepers for reader in keeper.children()][:1]:
                reader.kill()
                tally.hostile["a reading process: killed"] += 1

    return (
        (0.2, kill_by_text), (0.1, send_broken_bytes), (1.0, ask_for_silence), (5.0, ask_without_sound), (0.5, drip),
        (1.0, kill_reading_process),
    )  # fmt: skip


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
