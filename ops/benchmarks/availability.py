"""Availability: start, crash, hang, and probes of a busy server, as whatever supervises the server sees them.

As a program, `python -m ops.benchmarks.availability PORT CLIENTS` is the load of `health`: clients in a closed loop until it is
ended. A process of its own, so that its work does not delay the probes.
"""

import http.client
import itertools
import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import click

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS
from app.tuning.loadgen import closed_loop
from app.tuning.server import HOST

from .faults import HANGS
from .report import Measure, Run, Value, percentile, progress
from .servers import Server, ask_ours, core_s, ours, program, serving, started, usable_cores
from .voices import BY_WORDS, HELLO, SHORT_TEXT, embedded_voice, large_voice

_WORKERS = 4
#: The shortest text that is measured: what a first request costs more is the largest share of it.
_TEXT = BY_WORDS[5]
#: gunicorn's master sleeps up to 0.1 s after every fork, and a worker that dies meanwhile waits for that; a worker returns
#: free memory a quarter of a second after it has spoken.
_REST_S = 0.5
_HANG_WORKERS = 2
_STALL_S = 1.0
_DUMP = "Fatal Python error: Aborted"

PATHS = ("/livez", "/readyz", "/metrics", "/status")
_PROBES_HZ = 10.0
#: A probe without an answer in that time has failed: the default of Kubernetes.
_PROBE_TIMEOUT_S = 1.0
#: Clients beyond those that are served or wait.
_REFUSED = 8
#: Pause of a refused client: less than the server says, so that some always find the queue full.
_PAUSE_S = 1.0


def coldstart(run: Run) -> Measure:
    """Exec to ready and to the first answer, against a native process.

    A voice of LJSpeech's size, baked before; page cache warm; ours with 4 workers.
    Pairing: in each round ours starts, then one native process loads the same voice by Coqui's API.
    Figures: seconds from exec; their ratios. Spoken: the last byte of "Hello world." as a WAV file has arrived; for native, its
    samples are computed. Targets: ready < 1 s; native spoken / ours ready >= 12.
    """
    voice = large_voice(run)
    config_path = voice.write_config(run.scratch, _WORKERS)
    progress("one native process that does not count, so that no side reads from the disk")
    native_spoken_s(voice.release, run.scratch)

    def measure(_number: int) -> Iterable[Value]:
        ready_s, spoken_s = ours_start_s(config_path, run.scratch)
        native_s = native_spoken_s(voice.release, run.scratch)
        yield Value("ours, exec to ready", "s", ready_s, "< 1")
        yield Value("ours, exec to spoken", "s", spoken_s)
        yield Value("native, exec to spoken", "s", native_s)
        yield Value("native spoken / ours ready", "x", native_s / ready_s, ">= 12")
        yield Value("native spoken / ours spoken", "x", native_s / spoken_s)

    return measure


def ours_start_s(config_path: Path, scratch: Path, environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Return the seconds from exec to ready and to a spoken text."""
    with started(ours(config_path, environment=environment), scratch) as server:
        ready_s = server.wait_ready()
        server.speak(HELLO)
        return ready_s, time.monotonic() - server.started_s


def native_spoken_s(release: Path, scratch: Path, environment: Mapping[str, str] | None = None) -> float:
    """Return the seconds from exec to a spoken text, by Coqui's API."""
    with program(scratch, "native", "speak", release, environment=environment) as native:
        native.ask(HELLO)
        return time.monotonic() - native.started_s


class Kill(NamedTuple):
    """One killed worker: milliseconds until its successor exists and is ready, and of two requests by clock and by core time."""

    forked_ms: float
    ready_ms: float
    #: The first request of the successor, and the same of an old worker.
    first_ms: tuple[float, float]
    old_ms: tuple[float, float]


def respawn(run: Run) -> Measure:
    """Kill -9 of a worker to a ready successor, and its first request.

    A voice of LJSpeech's size, 4 workers, 10 kills a round, one at a time; medians of a round.
    Pairing: the successor's first request, of five words, and the same request to an old worker, kill by kill; the other workers
    are stopped meanwhile (SIGSTOP), and idle.
    Figures: milliseconds from the kill. Forked: the successor exists. Ready: it says so on the scoreboard, and listens. First
    request of a new / an old worker. Target: <= 1.2.
    """
    kills = run.size(10, 2)
    config_path = large_voice(run).write_config(run.scratch, _WORKERS)

    def measure(_number: int) -> Iterable[Value]:
        with started(ours(config_path), run.scratch) as server:
            for worker in server.wait_workers(_WORKERS):
                _speak_by(worker, server)
            return kill_values([_kill_one(server, server.board()) for _ in range(kills)])

    return measure


def kill_values(kills: Sequence[Kill]) -> Iterable[Value]:
    """Return the values of a round, its ratios kill by kill."""
    by_clock, by_core = ([each.first_ms[by] / each.old_ms[by] for each in kills] for by in (0, 1))
    yield Value("kill to forked", "ms", statistics.median(each.forked_ms for each in kills))
    yield Value("kill to ready", "ms", statistics.median(each.ready_ms for each in kills))
    yield Value("kill to ready, slowest", "ms", max(each.ready_ms for each in kills))
    yield Value("first request of a new worker", "ms", statistics.median(each.first_ms[0] for each in kills))
    yield Value("the same of an old one", "ms", statistics.median(each.old_ms[0] for each in kills))
    yield Value("first of a new / an old worker's", "x", statistics.median(by_clock), "<= 1.2")
    yield Value("the same by core time", "x", statistics.median(by_core))


def _kill_one(server: Server, board: Scoreboard) -> Kill:
    time.sleep(_REST_S)
    before = _ready(board)
    killed, old, *_others = sorted(before)
    killed_s = time.perf_counter()
    os.kill(killed, signal.SIGKILL)
    (successor,) = server.poll(lambda: set(server.worker_pids()) - before)
    forked_s = time.perf_counter()
    server.poll(lambda: successor in _ready(board))
    ready_s = time.perf_counter()
    first_ms = _speak_by(successor, server)
    return Kill((forked_s - killed_s) * 1000, (ready_s - killed_s) * 1000, first_ms, _speak_by(old, server))


def _ready(board: Scoreboard) -> set[int]:
    return {int(row["pid"]) for row in board.working()}


def _speak_by(worker: int, server: Server) -> tuple[float, float]:
    """Have one worker speak while all others are stopped; return milliseconds by the clock and of core time.

    The kernel counts core time in steps of 10 ms.
    """
    others = set(server.worker_pids()) - {worker}
    try:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        before_s, began_s = core_s(worker), time.perf_counter()
        server.speak(_TEXT)
        return (time.perf_counter() - began_s) * 1000, (core_s(worker) - before_s) * 1000
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def hang(run: Run) -> Measure:
    """A synthesis that hangs: from its deadline to its dump, its end and its successor.

    The embedded voice, 2 workers, admission.stall_s 1.
    Pairing: none; each way to hang five times in a round, one at a time, and of these the slowest.
    Figures: seconds from the deadline. Dumped: the stacks of all threads are in the log. Ended: the master has counted it.
    Successor: it takes requests. Target: dumped <= 1 s, no other worker ends.
    """
    times, trigger = run.size(5, 1), run.scratch / "hang"
    config_path = embedded_voice(run).write_config(run.scratch, _HANG_WORKERS, admission={"stall_s": _STALL_S})
    kind = ours(config_path, "ops.benchmarks.faults:hanging_voice()", environment={"CHORUS_HANG_NOW": str(trigger)})

    def measure(number: int) -> Iterable[Value]:
        draw = random.Random(number)
        with started(kind, run.scratch) as server:
            server.wait_workers(_HANG_WORKERS)
            board = server.board()
            hangs = {way: [_hang_once(server, board, trigger, way, draw) for _ in range(times)] for way in HANGS}
            endings = board.rows["endings"].sum(axis=0)
        stalled = int(endings[ENDINGS.index("stalled")])
        for moment, (what, target) in enumerate((("dumped", "<= 1"), ("ended", ""), ("successor", ""))):
            for way, name in HANGS.items():
                yield Value(f"{name}: {what}", "s", max(each[moment] for each in hangs[way]), target)
        yield Value("other workers that ended", "", int(endings.sum()) - stalled, "<= 0")
        yield Value("hangs that were not counted", "", times * len(HANGS) - stalled, "<= 0")

    return measure


def _hang_once(server: Server, board: Scoreboard, trigger: Path, way: str, draw: random.Random) -> tuple[float, float, float]:
    """Return the seconds from the deadline to the dump, to the end of the worker, and to a ready successor."""
    # The master's intervals begin anew with every signal: hangs are not to begin at the same moment of each.
    time.sleep(draw.random())
    dumps = server.read_log().count(_DUMP)
    trigger.write_text(way, encoding="utf-8")
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(server.speak, HELLO)
        server.poll(lambda: not trigger.exists())
        (slot,) = server.poll(lambda: [slot for slot, row in enumerate(board.rows) if row["stalls_s"]])
        pid, deadline_s = int(board.rows[slot]["pid"]), float(board.rows[slot]["stalls_s"])

        def after_s(has_come: Callable[[], bool]) -> float:
            server.poll(has_come)
            return time.monotonic() - deadline_s

        dumped_s = after_s(lambda: server.read_log().count(_DUMP) > dumps)
        ended_s = after_s(lambda: int(board.rows[slot]["pid"]) != pid)
        successor_s = after_s(lambda: len(_ready(board)) == _HANG_WORKERS)
        if request.exception() is None:
            raise server.failure("a request that should hang was answered")
    return dumped_s, ended_s, successor_s


class Probe(NamedTuple):
    """One probe on a connection of its own, timed from when it was due; without an answer its status is None."""

    path: str
    took_ms: float
    status: int | None
    body: bytes = b""


@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.1), help="How long it is probed a round.")
def health(run: Run, minutes: float) -> Measure:
    """Latency of probes while every worker speaks and the queue is full.

    The embedded voice, a worker a core, default settings. 8 clients more than are served and may wait ask for 21 words each,
    whole WAV files, closed loop; a refused client asks again after a second.
    Pairing: none; every path in turn, ten probes a second, each on a connection of its own.
    Figures: ms by path from when a probe was due; probes that failed: that took a second. Target: p99 <= 50 ms, no failure.
    """
    minutes = run.size(minutes, 0.1)
    config_path = embedded_voice(run).write_config(run.scratch, usable_cores())

    def measure(_number: int) -> Iterable[Value]:
        with serving(ours(config_path), run.scratch) as server:
            board = server.board()
            served, waiting = int(board.header["places"]) * usable_cores(), int(board.header["queue"])
            with program(run.scratch, "availability", server.port, served + waiting + _REFUSED):
                server.poll(lambda: board.waiting() >= waiting)
                probes = list(_probes(server, round(60 * minutes * _PROBES_HZ)))
            if len(server.worker_pids()) != usable_cores():
                raise server.failure("a worker ended while it was probed")
        return probe_values(probes)

    return measure


def _probes(server: Server, number: int) -> Iterator[Probe]:
    """Probe each path in turn, at even intervals, however long earlier answers took."""
    began_s = time.perf_counter()
    for turn, path in zip(range(number), itertools.cycle(PATHS)):
        due_s = began_s + turn / _PROBES_HZ
        time.sleep(max(0.0, due_s - time.perf_counter()))
        # On a new connection, as Kubernetes does.
        with closing(server.connect(_PROBE_TIMEOUT_S)) as connection:
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                status, body = response.status, response.read()
            except (OSError, http.client.HTTPException):
                status, body = None, b""
        yield Probe(path, (time.perf_counter() - due_s) * 1000, status, body)


def probe_values(probes: Sequence[Probe]) -> Iterable[Value]:
    """Return the values of probes by path, failed ones included, and what those of /status say of the load."""
    took_ms = {path: [each.took_ms for each in probes if each.path == path] for path in PATHS}
    for path, each in took_ms.items():
        yield Value(f"{path}: p50", "ms", percentile(each, 50))
        yield Value(f"{path}: p99", "ms", percentile(each, 99), "<= 50")
        yield Value(f"{path}: slowest", "ms", max(each))
    yield Value("probes that failed", "", sum(each.status != http.client.OK for each in probes), "<= 0")
    states = [json.loads(each.body) for each in probes if each.path == "/status" and each.status == http.client.OK]
    waiting = [sum(worker["waiting"] for worker in state["workers"]) for state in states]
    speaking = [all(worker["speaking"] for worker in state["workers"]) for state in states]
    is_full = [each >= state["queue"] for each, state in zip(waiting, states, strict=True)]
    yield Value("every worker spoke, share of looks", "x", statistics.fmean(speaking))
    yield Value("queue full, share of looks", "x", statistics.fmean(is_full))
    yield Value("fewest that waited", "", min(waiting))
    up_s = states[-1]["up_s"] - states[0]["up_s"]
    totals = (
        ("spoken", "outcomes", "done"), ("refused, queue full", "refusals", "queue_full"),
        ("waited too long", "refusals", "waited_too_long"),
    )  # fmt: skip
    for name, group, key in totals:
        first, last = (state["totals"][group][key] for state in (states[0], states[-1]))
        yield Value(name, "1/s", (last - first) / up_s)


if __name__ == "__main__":
    _requests = (ask_ours(SHORT_TEXT, seed) for seed in itertools.count())
    closed_loop((HOST, int(sys.argv[1])), _requests, int(sys.argv[2]), pause_s=_PAUSE_S)
