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
from dataclasses import replace
from functools import partial

import click
import psutil

from app.tuning.loadgen import ANSWERED, Request, send
from app.tuning.server import Address, ServerFailedError

from .clients import READERS, Readers, connect, slow_senders
from .memory import total_memory
from .nginx import behind_nginx
from .report import Measure, Run, Value, progress
from .servers import Server, ask_ours, ours, serving, usable_cores
from .voices import SENTENCES, embedded_voice, long_text

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


def nginx(run: Run) -> Measure:
    """Latency of honest clients behind nginx, beside 200 that send byte by byte.

    nginx with the files of ops/nginx; the embedded voice, a worker a core. 2 honest clients, whole files, closed loop. Slow
    clients from as many addresses: half never complete their heads, half their bodies; they connect again if disconnected.
    Pairing: honest clients take all sentences alone and beside slow senders, in turn, three times a round.
    Figures: p50 and p95 in seconds; p95 beside / alone. Target: <= 1.2.
    """
    config_path = embedded_voice(run).write_config(run.scratch, usable_cores())

    def measure(_number: int) -> Iterable[Value]:
        with behind_nginx(config_path, run.scratch) as (_server, address):
            return _latencies_in_turn(run, address, partial(slow_senders, address), "", "slow clients", "<= 1.2")

    return measure


def slow_readers(run: Run) -> Measure:
    """Latency of honest clients beside 20 that read a long stream at 1 kB/s.

    The embedded voice, a worker a core, all else by default. 2 honest clients, whole files, closed loop. Slow readers take a
    stream of 18,000 characters with small buffers; the clock starts when the server waits for each of them without a turn.
    Pairing: honest clients take all sentences alone and beside slow readers, in turn, three times; without nginx, then behind it.
    Figures: p50 and p95 in seconds; p95 beside / alone. Target: <= 1.3.
    """
    config_path = embedded_voice(run).write_config(run.scratch, usable_cores())

    def found(prefix: str, server: Server, address: Address) -> Sequence[Value]:
        return _latencies_in_turn(run, address, partial(_reading_slowly, server, address), prefix, "slow readers", "<= 1.3")

    def measure(_number: int) -> Iterable[Value]:
        with serving(ours(config_path), run.scratch) as server:
            yield from found("without nginx: ", server, server.address)
        with behind_nginx(config_path, run.scratch) as (server, address):
            yield from found("behind nginx: ", server, address)

    return measure


def _latencies_in_turn(
    run: Run, address: Address, beside: Callable[[], AbstractContextManager[object]], prefix: str, others: str, target: str
) -> Sequence[Value]:
    """Have honest clients take all sentences alone and beside others, in turn; return percentiles of all answers."""
    numbers = itertools.count()

    def ask(text: str) -> float:
        # From an address of its own, because of the limits of nginx.
        number, request = next(numbers), ask_ours(text, seed=0)
        posing = {"X-Test-Address": f"10.2.{number // 250}.{number % 250}"}
        result = send(address, replace(request, headers={**request.headers, **posing}))
        if result.outcome != ANSWERED or result.total_s is None:
            raise ServerFailedError(f"an honest client was answered with {result.status}")
        return result.total_s

    def take_all() -> list[float]:
        with ThreadPoolExecutor(_HONEST) as pool:
            return list(pool.map(ask, SENTENCES[: run.size(len(SENTENCES), 6)]))

    take_all()  # fills caches
    alone_s: list[float] = []
    beside_s: list[float] = []
    for _turn in range(run.size(_TURNS, 1)):
        alone_s += take_all()
        with beside():
            beside_s += take_all()
    values = [
        Value(f"{prefix}{name} {who}", "s", value(latencies_s))
        for name, value in (("p50", statistics.median), ("p95", _p95))
        for who, latencies_s in (("alone", alone_s), (f"beside {others}", beside_s))
    ]
    return [*values, Value(f"{prefix}p95 beside {others} / alone", "x", _p95(beside_s) / _p95(alone_s), target)]


def _p95(latencies_s: Sequence[float]) -> float:
    return statistics.quantiles(latencies_s, n=20)[-1]


@contextmanager
def _reading_slowly(server: Server, address: Address) -> Iterator[None]:
    """Keep slow readers connected, all of which the server waits for."""
    board = server.board()

    def wait_parked(count: int) -> None:
        server.poll(lambda: int(board.rows["parked"].sum()) >= count, _SETTLED_S)

    with Readers() as readers:
        for number in range(READERS):
            readers.add(address, _long_stream(number))
            # Few at a time, so that none waits too long for its turn on a busy machine.
            wait_parked(number + 1 - _AT_A_TIME)
        wait_parked(READERS)
        yield
    server.poll(lambda: not board.rows["parked"].sum() and not board.rows["active"].sum(), _SETTLED_S)


def _long_stream(seed: int) -> Mapping[str, object]:
    return {"input": long_text(), "response_format": "wav", "stream": True, "seed": seed}


@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.2), help="How long a round takes.")
def hostile(run: Run, minutes: float) -> Measure:
    """Honest clients beside texts that ended workers, slow readers, broken requests, silence and drips.

    The embedded voice, a worker a core, all else by default. 2 honest clients, whole files, closed loop. Beside them 20 readers
    of 1 kB/s, 50 connections that drip a head, texts that ended a worker once, texts without a sound, 650 MB of silence, broken
    requests, and kills of the processes that read text.
    Pairing: honest clients alone for a tenth of the time, then beside hostile ones, with the same server.
    Figures: honest requests that failed or whose answer is not the first of its text; lost workers, p95, MB of PSS. Target: none
    failed, no worker lost.
    """
    lasts_s = run.size(minutes, 0.5) * 60
    config_path = embedded_voice(run).write_config(run.scratch, usable_cores())

    def measure(_number: int) -> Iterable[Value]:
        with serving(ours(config_path), run.scratch) as server:
            references = {text: _digest(server.speak(text)) for text in SENTENCES}
            forks = int(server.board().rows["forks"].sum())
            alone = _ask_honestly(server, references, lasts_s * _ALONE_SHARE)
            before_bytes = total_memory(server).pss_bytes
            with _hostility(server) as tally:
                beside = _ask_honestly(server, references, lasts_s * (1 - _ALONE_SHARE))
            lost = int(server.board().rows["forks"].sum()) - forks
            # Memory of the readers is returned when the next request is over.
            afterwards = _ask_honestly(server, references, 2.0)
            after_bytes = total_memory(server).pss_bytes
        for what, count in sorted(tally.items()):
            progress(f"  {what} ({count})")
        yield Value("honest requests beside hostile ones", "", len(beside))
        yield Value("honest requests that failed", "", sum(not is_same for _, is_same in (*alone, *beside, *afterwards)), "<= 0")
        yield Value("workers lost", "", lost, "<= 0")
        yield Value("p95 alone", "s", _p95([took_s for took_s, _ in alone]))
        yield Value("p95 beside hostile ones", "s", _p95([took_s for took_s, _ in beside]))
        yield Value("PSS of all processes before", "MB", before_bytes / 1e6)
        yield Value("PSS of all processes after", "MB", after_bytes / 1e6)

    return measure


def _ask_honestly(server: Server, references: Mapping[str, str], lasts_s: float) -> list[tuple[float, bool]]:
    """Return of each request how long it took, and whether it was answered with the same bytes as before."""
    answers: list[tuple[float, bool]] = []
    until_s, texts, lock = time.monotonic() + lasts_s, itertools.cycle(references), threading.Lock()

    def ask() -> None:
        while time.monotonic() < until_s:
            with lock:
                text = next(texts)
            result = send(server.address, ask_ours(text, seed=0), keep_body=True)
            is_same = result.outcome == ANSWERED and _digest(result.body) == references[text]
            answers.append((result.total_s or math.inf, is_same))

    with ThreadPoolExecutor(_HONEST) as pool:
        list(pool.map(lambda _client: ask(), range(_HONEST)))
    return answers


@contextmanager
def _hostility(server: Server) -> Iterator[Counter[str]]:
    """Have hostile clients at work meanwhile; yields the number of their requests by kind and answer, which grow."""
    over, tally = threading.Event(), Counter[str]()

    def repeat(every_s: float, act: Callable[[], None]) -> None:
        while not over.wait(every_s):
            act()

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        stack.callback(over.set)
        readers = stack.enter_context(Readers())
        for seed in range(READERS):
            readers.add(server.address, _long_stream(seed))
        acts = [pool.submit(repeat, every_s, act) for every_s, act in _acts(server, tally, stack)]
        yield tally
        over.set()
        for each in acts:
            each.result()


def _acts(server: Server, tally: Counter[str], stack: ExitStack) -> Sequence[tuple[float, Callable[[], None]]]:
    """Return the hostile acts, each with its interval in seconds."""
    paths, texts, broken = itertools.cycle(_KILLING_PATHS), itertools.cycle(_KILLING), itertools.cycle(_BROKEN)
    dripping: list[socket.socket] = []

    def post(what: str, path: str, body: Mapping[str, object], **headers: str) -> None:
        request = Request(path, json.dumps(body).encode(), headers={"Content-Type": "application/json", **headers})
        tally[f"{what}: {send(server.address, request).status}"] += 1

    def kill_by_text() -> None:
        post("a text that ended a worker once", next(paths), {"input": f"Say {next(texts)} now."})

    def send_broken_bytes() -> None:
        with connect(server.address) as connected:
            connected.settimeout(60.0)
            connected.sendall(next(broken))
            status = connected.recv(4096)[9:12].decode("ascii", "replace")
        tally[f"a broken request: {status or 'disconnected'}"] += 1

    def ask_for_silence() -> None:
        asked = {"input": "A! " * 650, "response_format": "wav", "sample_rate": 48_000, "sentence_pause": 10, "stream": False}
        post("650 MB of silence", "/v1/audio/speech", asked)

    def ask_without_sound() -> None:
        asked = {"input": "\u200b!" * 9_000, "sentence_pause": 0}
        post("a text without a sound", "/v1/audio/speech", asked, **{"X-Request-Timeout": "1"})

    def drip() -> None:
        """Send a byte of the head on each connection, and replace those that were closed."""
        while len(dripping) < _DRIPPING:
            dripping.append(stack.enter_context(closing(connect(server.address))))
        for connected in list(dripping):
            try:
                connected.sendall(b"G")
            except OSError:
                connected.close()
                dripping.remove(connected)

    def kill_reading_process() -> None:
        """Kill a process that reads text for a worker, as some texts do, at any moment."""
        with suppress(psutil.NoSuchProcess):  # one that has just ended by itself
            keepers = [keeper for pid in server.worker_pids() for keeper in psutil.Process(pid).children()]
            for reader in [reader for keeper in keepers for reader in keeper.children()][:1]:
                reader.kill()
                tally["a reading process: killed"] += 1

    return (
        (0.2, kill_by_text), (0.1, send_broken_bytes), (1.0, ask_for_silence), (5.0, ask_without_sound), (0.5, drip),
        (1.0, kill_reading_process),
    )  # fmt: skip


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
