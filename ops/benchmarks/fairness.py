"""Which worker takes a connection: gunicorn's sync and gthread beside ours, by latency and by how even the work is."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import click
import psutil

from app.scoreboard.snapshot import snapshot
from app.tuning.load import Arrival, poisson
from app.tuning.mix import builtin_mix
from app.tuning.outcome import Outcome, answered
from app.tuning.setting import Setting

from .loads import PATIENCE_S, measured, offer, percentile_ms, warm
from .machine import usable_cores
from .report import Figure, Report, Target, figure, progress
from .servers import Ask, Kind, Server, ours, started
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--window", default=30.0, show_default=True, type=click.FloatRange(5), help="Seconds of each load."),
)  # fmt: skip

#: Of the capacity.
_LOADS = (0.5, 0.9, 2.0)
_THREADS = 2
#: Four seconds' worth, rather than the default, so that the queue is what bounds a wait, and not the clients' patience.
_QUEUE = 16
_PROBE_EVERY_S = 0.5


@dataclass(frozen=True)
class Seen:
    """One side under one load."""

    outcomes: tuple[Outcome, ...]
    #: By worker: speeches that ended, and core time.
    speeches: tuple[int, ...]
    core_s: tuple[float, ...]
    #: What GET /livez took meanwhile.
    probes_s: tuple[float, ...]

    @property
    def answered_share(self) -> float:
        """Of all requests."""
        return len(answered(self.outcomes)) / max(1, len(self.outcomes))


@dataclass(frozen=True)
class Round:
    """Every side under every load."""

    capacity_hz: float
    #: By side and load.
    seen: dict[tuple[str, float], Seen]


def fairness(rounds: int, scratch: Path, window: float) -> Report:
    """gunicorn's own workers and ours under half, nearly all and twice of what ours can take."""
    setting = Setting(usable_cores(), _THREADS)
    config_path = write_config(
        scratch, embedded_voice(scratch).model_path, setting.workers, threads=_THREADS, admission={"queue": _QUEUE}
    )
    sides = _sides(config_path)
    measured_rounds = [_round(number, sides, setting, scratch, window) for number in range(1, rounds + 1)]
    return Report(_figures(measured_rounds, [side.name for side in sides]), _notes(setting, window))


def busiest_to_mean(values: Sequence[float]) -> float:
    """Return the largest over the mean: 1 where all are alike, and where all are nothing."""
    return max(values) / statistics.fmean(values) if any(values) else 1.0


def _sides(config_path: Path) -> tuple[Kind, ...]:
    """Return the same server three times, all but the worker class alike."""
    # Of sync with more than one thread gunicorn makes gthread.
    sync = ("--worker-class", "sync", "--threads", "1")
    gthread = ("--worker-class", "gthread", "--threads", str(_THREADS), "--worker-connections", str(_THREADS))
    alike = ours(config_path)
    return alike, _with(alike, "gthread", gthread), _with(alike, "sync", sync)


def _with(kind: Kind, name: str, words: Sequence[str]) -> Kind:
    return replace(kind, name=name, command=lambda port: [*kind.command(port), *words])


def _round(number: int, sides: Sequence[Kind], setting: Setting, scratch: Path, window_s: float) -> Round:
    mix = builtin_mix()
    with ExitStack() as stack:
        servers = [stack.enter_context(started(side, scratch / f"{side.name}.log")) for side in sides]
        for server in servers:
            _await_all(server, setting)
            warm(server, mix, setting)
        capacity_hz = measured(servers[0], mix, setting, window_s).rate_hz
        seen = {}
        for load, server in product(_LOADS, servers):
            arrivals = poisson(mix, load * capacity_hz, window_s, seed=number)
            seen[server.kind.name, load] = one = _seen(server, arrivals)
            progress(
                f"round {number}: {server.kind.name} at {load:g} of {capacity_hz:.2f} requests a second: "
                f"{one.answered_share:.0%} answered, p95 {percentile_ms(answered(one.outcomes), 'total', 95):.0f} ms, "
                f"busiest / mean {busiest_to_mean(one.speeches):.2f}"
            )
    return Round(capacity_hz, seen)


def _await_all(server: Server, setting: Setting) -> None:
    server.await_ready()
    board = server.board()
    server.await_(lambda: len(list(board.working())) == setting.workers)


def _seen(server: Server, arrivals: Sequence[Arrival]) -> Seen:
    board = server.board()
    workers = [int(row["pid"]) for row in board.working()]
    before, before_s = _speeches(server), _core_s(workers)
    with _probed(server) as probes_s:
        outcomes = offer(server, arrivals)
    # What clients that left have left behind is no load for the next window.
    server.await_(lambda: not board.rows["active"].sum())
    speeches = tuple(now - then for now, then in zip(_speeches(server), before, strict=True))
    core_s = tuple(now - then for now, then in zip(_core_s(workers), before_s, strict=True))
    return Seen(outcomes, speeches, core_s, tuple(probes_s))


def _speeches(server: Server) -> list[int]:
    return [worker.speeches for worker in snapshot(server.board()).workers]


def _core_s(workers: Sequence[int]) -> list[float]:
    times = [psutil.Process(worker).cpu_times() for worker in workers]
    return [each.user + each.system for each in times]


@contextmanager
def _probed(server: Server) -> Iterator[list[float]]:
    """Ask meanwhile whether the server lives, again and again; in a list that grows, how long that took."""
    over, took_s = threading.Event(), list[float]()

    def probe() -> None:
        while not over.wait(_PROBE_EVERY_S):
            began_s = time.perf_counter()
            server.fetch(Ask("GET", "/livez"))
            took_s.append(time.perf_counter() - began_s)

    prober = threading.Thread(target=probe, daemon=True)
    prober.start()
    try:
        yield took_s
    finally:
        over.set()
        prober.join(PATIENCE_S)


def _figures(rounds: Sequence[Round], names: Sequence[str]) -> tuple[Figure, ...]:
    found = [figure("capacity of ours", "1/s", rounds, lambda each: each.capacity_hz)]
    for load, name in product(_LOADS, names):
        found += _of(rounds, name, load)
    return tuple(found)


def _of(rounds: Sequence[Round], name: str, load: float) -> Iterator[Figure]:
    of, windows = f"{load:g} x, {name}", [each.seen[name, load] for each in rounds]
    target = Target("<=", 1.25) if name == "ours" else None
    for (measure, said), rank in product((("first_audio", "first audio"), ("total", "whole")), (50, 95)):
        yield figure(f"{of}: {said} p{rank}", "ms", windows, partial(_of_answered_ms, measure=measure, rank=rank))
    yield figure(f"{of}: whole p95 of all", "ms", windows, lambda each: percentile_ms(each.outcomes, "total", 95))
    yield figure(f"{of}: answered", "x", windows, lambda each: each.answered_share)
    yield figure(f"{of}: busiest / mean, speeches", "x", windows, lambda each: busiest_to_mean(each.speeches), target)
    yield figure(f"{of}: busiest / mean, core time", "x", windows, lambda each: busiest_to_mean(each.core_s))
    yield figure(f"{of}: slowest probe", "ms", windows, lambda each: 1000 * max(each.probes_s, default=PATIENCE_S))


def _of_answered_ms(seen: Seen, measure: str, rank: float) -> float:
    return percentile_ms(answered(seen.outcomes), measure, rank)


def _notes(setting: Setting, window_s: float) -> tuple[str, ...]:
    return (
        f"The embedded voice, {setting.workers} workers. Ours: {_THREADS} threads each, admission.queue {_QUEUE}. gthread: "
        f"{_THREADS} threads and {_THREADS} connections each, so that all else waits in the kernel's backlog. sync: one request "
        "each. All else is alike.",
        f"Requests come at random (Poisson) for {window_s:g} s, the same for every side: texts of 17 to 428 characters, "
        f"streamed. Capacity is what a closed loop of {setting.places} clients gets out of ours. Latency counts from when a "
        "request was meant to be sent.",
        f"p50 and p95 are of the requests that were answered whole; 'of all' counts the others as {PATIENCE_S:g} s, which is "
        "when clients hang up. Above capacity ours refuses, with when to come back; the others keep clients waiting until those "
        "leave. On every side the application drops requests whose clients left.",
        "Busiest / mean: of all workers, by speeches and by core time. Both are also luck where a window holds few requests, "
        "core time more so: a text of 428 characters weighs as much as ten of 17.",
        f"Probes: GET /livez every {_PROBE_EVERY_S:g} s, one at a time. The clients run on the server's cores.",
    )  # fmt: skip
