"""Fairness: which worker takes a connection, with gunicorn's sync and gthread workers and with ours."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import click
import psutil

from app.scoreboard.snapshot import snapshot
from app.tuning.loadgen import ANSWERED, Request, Result, send
from app.tuning.workload import builtin_workload

from .overload import THREADS, TIMEOUT_S, latency_ms, measure_capacity, offer, warm
from .report import Report, Run, Value, progress, usable_cores
from .servers import Kind, Server, ours, started
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--window", default=30.0, show_default=True, type=click.FloatRange(5), help="Seconds of each load."),
)  # fmt: skip

#: Of the capacity.
_LOADS = (0.5, 0.9, 2.0)
_WORKLOAD = builtin_workload()
#: Four seconds' worth, instead of the default, so that the queue bounds a wait, and not the clients' timeout.
_QUEUE = 16
_PROBE_EVERY_S = 0.5


@dataclass(frozen=True)
class Window:
    """One side under one load."""

    results: Sequence[Result]
    #: By worker: ended speeches, and core time.
    speeches: tuple[int, ...]
    core_s: tuple[float, ...]
    #: Of GET /livez meanwhile.
    probes_s: tuple[float, ...]


def fairness(run: Run, window: float) -> Report:
    """gunicorn's own workers and ours under half, nearly all and twice of what ours can take.

    Pairing: in each round all sides run at once and take the same requests at the same intervals, in turn.
    Figures: ms, share answered, busiest / mean worker. Target: ours, busiest / mean <= 1.25.
    """
    workers, for_s = usable_cores(), run.size(window, 3.0)
    admission = {"queue": _QUEUE}
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, workers, threads=THREADS, admission=admission)

    def measure(number: int) -> Iterable[Value]:
        with ExitStack() as stack:
            kinds = worker_kinds(config_path)
            servers = [stack.enter_context(started(kind, run.scratch / f"{kind.name}.log")) for kind in kinds]
            for server in servers:
                server.await_workers(workers)
                warm(server, _WORKLOAD, workers * THREADS)
            capacity_hz = measure_capacity(servers[0], _WORKLOAD, workers * THREADS, for_s).rate_hz
            yield Value("capacity of ours", "1/s", capacity_hz)
            for load, server in product(_LOADS, servers):
                progress(f"  {server.kind.name} at {load:g} of {capacity_hz:.2f} requests a second")
                window = _measure_window(server, load * capacity_hz, for_s, number)
                yield from window_values(f"{load:g} x, {server.kind.name}", window, server.kind.name == "ours")

    lengths = sorted(text.characters for text in _WORKLOAD.texts)
    return run.report(
        measure,
        f"The embedded voice, {workers} workers. Ours and gthread: {THREADS} threads; ours: admission.queue {_QUEUE}; gthread: "
        f"{THREADS} connections, so that all else waits in the kernel's backlog. sync: one request each. All else is equal.",
        f"Requests come at random (Poisson) for {for_s:g} s, the same for every side: texts of {lengths[0]} to {lengths[-1]} "
        f"characters, streamed. Capacity is what a closed loop of {workers * THREADS} clients gets from ours. Latency counts "
        "from when a request was due.",
        f"p50 and p95 are of the requests with a complete answer; 'of all' counts the others as {TIMEOUT_S:g} s, when clients "
        "disconnect. Above capacity ours refuses, with Retry-After; the others keep clients waiting until those disconnect. On "
        "every side the application drops requests of disconnected clients.",
        "Busiest / mean: of all workers, by speeches and by core time. Both are also chance if a window holds few requests.",
        f"Probes: GET /livez every {_PROBE_EVERY_S:g} s, one at a time. The clients run on the server's cores.",
    )


def worker_kinds(config_path: Path) -> tuple[Kind, ...]:
    """Return the same server three times, with other worker classes."""
    # gunicorn makes gthread of sync with more than one thread.
    sync = ("--worker-class", "sync", "--threads", "1")
    gthread = ("--worker-class", "gthread", "--threads", str(THREADS), "--worker-connections", str(THREADS))
    return (
        ours(config_path),
        replace(ours(config_path, *gthread), name="gthread"),
        replace(ours(config_path, *sync), name="sync"),
    )


def busiest_to_mean(values: Sequence[float]) -> float:
    """Return the largest value over the mean; 1 if all are 0."""
    return max(values) / statistics.fmean(values) if any(values) else 1.0


def _measure_window(server: Server, rate_hz: float, for_s: float, seed: int) -> Window:
    board = server.board()
    pids = [int(row["pid"]) for row in board.working()]
    before, before_s = _speeches(server), _core_s(pids)
    with _probed(server) as probes_s:
        results = offer(server, _WORKLOAD, rate_hz, for_s, seed)
    # Requests of clients that disconnected are no load for the next window.
    server.await_(lambda: not board.rows["active"].sum())
    speeches = tuple(after - earlier for after, earlier in zip(_speeches(server), before, strict=True))
    core_s = tuple(after - earlier for after, earlier in zip(_core_s(pids), before_s, strict=True))
    return Window(results, speeches, core_s, tuple(probes_s))


def _speeches(server: Server) -> list[int]:
    return [worker.speeches for worker in snapshot(server.board()).workers]


def _core_s(pids: Sequence[int]) -> list[float]:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return [each.user + each.system for each in times]


@contextmanager
def _probed(server: Server) -> Iterator[list[float]]:
    """Probe GET /livez meanwhile, one at a time; the yielded list grows by the time of each probe."""
    over, took_s = threading.Event(), list[float]()

    def probe() -> None:
        while not over.wait(_PROBE_EVERY_S):
            began_s = time.perf_counter()
            result = send(server.address, Request("/livez", method="GET"))
            if result.status != http.client.OK:
                raise server.launched.failure(f"{server.kind.name} answered /livez with {result.status}")
            took_s.append(time.perf_counter() - began_s)

    prober = threading.Thread(target=probe, daemon=True)
    prober.start()
    try:
        yield took_s
    finally:
        over.set()
        prober.join(TIMEOUT_S)


def window_values(name: str, window: Window, is_ours: bool) -> Iterable[Value]:
    """Return the values of one side under one load."""
    answered = [each for each in window.results if each.outcome == ANSWERED]
    for (measure, what), percent in product((("first_audio", "first audio"), ("total", "whole")), (50, 95)):
        yield Value(f"{name}: {what} p{percent}", "ms", latency_ms(answered, measure, percent))
    yield Value(f"{name}: whole p95 of all", "ms", latency_ms(window.results, "total", 95))
    yield Value(f"{name}: answered", "x", len(answered) / max(1, len(window.results)))
    yield Value(f"{name}: busiest / mean, speeches", "x", busiest_to_mean(window.speeches), "<= 1.25" if is_ours else "")
    yield Value(f"{name}: busiest / mean, core time", "x", busiest_to_mean(window.core_s))
    yield Value(f"{name}: slowest probe", "ms", 1000 * max(window.probes_s, default=TIMEOUT_S))
