"""Random load at shares of the capacity: overload, fairness of worker classes, and the answers of `chorus tune`."""

import http.client
import json
import math
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import click
import psutil

from app.scoreboard.snapshot import snapshot
from app.system.processes import sampled
from app.tuning.loadgen import ANSWERED, REFUSED, Request, Result, closed_loop, open_loop, poisson, send
from app.tuning.server import ROOT, ServerFailedError
from app.tuning.workload import Text, Workload, builtin_workload

from .report import Measure, Run, Value, percentile, progress
from .servers import Kind, Server, ours, serving, started, usable_cores
from .voices import SENTENCES, embedded_voice

THREADS = 2
#: Clients disconnect if their answer is not complete by then.
TIMEOUT_S = 10.0
_WARM_S = 2.0

#: Of `overload`: sentences of 5 to 30 words, each as often as the others.
_SENTENCES = Workload(
    "sentences", tuple(Text({"response_format": "wav", "stream": True, "seed": 1, "input": text}) for text in SENTENCES)
)
#: The objective of whole answers, and the share of it that queue and service may take on average: neither takes that long always.
_SLO_S, _PLANNED = 2.0, 0.8
#: Load before and after the overload, and the overload itself, as shares of the capacity.
_LIGHT, _HEAVY = 0.5, 3.0
#: The server has recovered if requests take at most this many times as long as before; it should have after this time.
_RECOVERED, _RECOVERY_S = 1.2, 5.0

#: Of `fairness`, shares of the capacity.
_LOADS = (0.5, 0.9, 2.0)
_BUILTIN = builtin_workload()
#: Four seconds' worth, instead of the default, so that the queue bounds a wait, and not the clients' timeout.
_QUEUE = 16
_PROBE_EVERY_S = 0.5

#: Of `tune`. An exit status if no candidate meets the objectives; that is an answer too.
_OBJECTIVES, _NO_CANDIDATE = "first_audio_p95=300ms,total_p95=2s", 76


def measure_capacity(server: Server, workload: Workload, clients: int, for_s: float) -> tuple[float, float]:
    """Have every worker speak, then that many clients ask in a closed loop, so that the server is never idle.

    Returns requests of average length a second, and the audio of one in seconds: the work of a request is its audio.
    """
    warm(server, workload, clients)
    results = closed_loop(server.address, workload.draw(0), clients, for_s, TIMEOUT_S)
    answered = [each for each in results if each.outcome == ANSWERED]
    if not answered:
        raise server.failure(f"{server.kind.name} answered no request")
    audio_s = sum(each.audio_s for each in answered) / len(answered)
    # A request in flight at the end counts by the share of its time in the window.
    inside_s = sum(each.audio_s * min(1.0, (for_s - each.sent_s) / each.service_s) for each in answered)
    return inside_s / audio_s / for_s, audio_s


def warm(server: Server, workload: Workload, clients: int) -> None:
    """Have every worker speak."""
    closed_loop(server.address, workload.draw(0), 2 * clients, _WARM_S, TIMEOUT_S)


def latency_ms(results: Sequence[Result], measure: str, percent: float) -> float:
    """Return a percentile of a latency in milliseconds; a request without a complete answer counts as the timeout."""
    latencies_s = [min(TIMEOUT_S, each.latency_s(measure)) for each in results]
    return 1000 * (percentile(latencies_s, percent) if latencies_s else TIMEOUT_S)


@dataclass(frozen=True)
class Overload:
    """One overload, and the light load before and after it: the same requests at the same intervals."""

    #: Of `measure_capacity`.
    capacity_hz: float
    audio_s: float
    over_s: float
    before: Sequence[Result]
    during: Sequence[Result]
    after: Sequence[Result]
    #: Cores that the clients used during and after, on average.
    client_cores: float


def overload(run: Run) -> Measure:
    """Three times what the server can answer: what it answers in time, how it refuses, and how it recovers.

    The embedded voice, a worker a core, 2 threads each; sentences of 5 to 30 words, streamed. admission.wait_s is the objective,
    2 s; admission.queue is what the server answers in 0.8 of it, less twice the requests that are served at a time. Half of the
    capacity at random (Poisson) for 25 s, three times the capacity for 60 s, and at once the first load again. Clients
    disconnect after 10 s; they run on the server's cores.
    Pairing: the same light load before and after the overload; answered in time / the capacity measured before in a closed loop.
    Figures: requests of average length a second; ms from when a request was due, of a refusal from when it was sent. As before:
    from then on all requests take at most 1.2 times the slowest of the same requests before the overload; one unlucky request is
    enough. Targets: answered in time / capacity >= 0.9; accepted p95 <= the objective; refusal p99 <= 50 ms; recovered in 5 s.
    """
    voice, workers = embedded_voice(run), usable_cores()
    over_s, window_s, places = run.size(60.0, 5.0), run.size(25.0, 5.0), workers * THREADS

    def measure(number: int) -> Iterable[Value]:
        with serving(ours(voice.write_config(run.scratch, workers, threads=THREADS)), run.scratch) as server:
            capacity_hz, audio_s = measure_capacity(server, _SENTENCES, places, window_s)
        admission = {"queue": queue_for(_SLO_S, capacity_hz, places), "wait_s": _SLO_S}
        config_path = voice.write_config(run.scratch, workers, threads=THREADS, admission=admission)
        with serving(ours(config_path), run.scratch) as server:
            warm(server, _SENTENCES, places)
            return overload_values(_overload(server, capacity_hz, audio_s, over_s, window_s, number))

    return measure


def queue_for(slo_s: float, capacity_hz: float, places: int) -> int:
    """Return the queue length with which all requests are answered within the objective.

    As many requests as the server answers in most of `slo_s` may be in it. Those in service share the cores, and a text of
    twice the average length takes twice as long as they do on average: they count twice.
    """
    return max(0, min(1000, math.floor(_PLANNED * slo_s * capacity_hz - 2 * places)))


def _overload(server: Server, capacity_hz: float, audio_s: float, over_s: float, window_s: float, seed: int) -> Overload:
    light = poisson(_SENTENCES.draw(seed), _LIGHT * capacity_hz, window_s, seed)
    heavy = poisson(_SENTENCES.draw(seed), _HEAVY * capacity_hz, over_s, seed)
    before = open_loop(server.address, light, TIMEOUT_S, TIMEOUT_S)
    began_s, began_core_s = time.perf_counter(), time.process_time()
    # In one call: waiting for the last answers of the overload would miss the beginning of the load after it.
    arrivals = [*heavy, *(replace(each, due_s=over_s + each.due_s) for each in light)]
    results = open_loop(server.address, arrivals, TIMEOUT_S, TIMEOUT_S)
    client_cores = (time.process_time() - began_core_s) / (time.perf_counter() - began_s)
    server.check()
    during, after = ([each for each in results if (each.due_s < over_s) is is_during] for is_during in (True, False))
    return Overload(capacity_hz, audio_s, over_s, before, during, after, client_cores)


def recovery_s(before: Sequence[Result], after: Sequence[Result], from_s: float) -> float:
    """Return how long after `from_s` the request was due from which on all took as long as before; infinite if there is none.

    A request takes as long as before if it is answered and at most a fifth slower than the slowest before.
    """
    slowest_s = max((each.latency_s("total") for each in before if each.outcome == ANSWERED), default=0.0)
    moments_s = [from_s, *(each.due_s for each in after), math.inf]
    slow = [place for place, each in enumerate(after, 2) if each.latency_s("total") > _RECOVERED * slowest_s]
    return moments_s[max(slow, default=0)] - from_s


def overload_values(found: Overload) -> Iterable[Value]:
    """Return the values of one overload."""
    refused = [each for each in found.during if each.outcome == REFUSED]
    accepted = [each for each in found.during if each.outcome != REFUSED]
    later = [each for each in found.after if each.due_s >= found.over_s + _RECOVERY_S]
    p95_before_ms, later_p95_ms = latency_ms(found.before, "total", 95), latency_ms(later, "total", 95)
    in_time_s = sum(each.audio_s for each in found.during if each.latency_s("total") <= _SLO_S)
    goodput = in_time_s / found.audio_s / found.over_s / found.capacity_hz
    yield Value("capacity", "1/s", found.capacity_hz)
    yield Value("before: whole p50", "ms", latency_ms(found.before, "total", 50))
    yield Value("before: whole p95", "ms", p95_before_ms)
    yield Value("offered", "1/s", len(found.during) / found.over_s)
    yield Value("answered in time / capacity", "x", goodput, ">= 0.9")
    yield Value("accepted: first audio p95", "ms", latency_ms(accepted, "first_audio", 95))
    yield Value("accepted: whole p50", "ms", latency_ms(accepted, "total", 50))
    yield Value("accepted: whole p95", "ms", latency_ms(accepted, "total", 95), f"<= {1000 * _SLO_S:g}")
    sent_ms = [1000 * each.service_s for each in refused]
    due_ms = [1000 * (math.inf if each.total_s is None else each.total_s) for each in refused]
    yield Value("refused", "x", len(refused) / max(1, len(found.during)))
    yield Value("refusal p50", "ms", percentile(sent_ms, 50))
    yield Value("refusal p99", "ms", percentile(sent_ms, 99), "<= 50")
    yield Value("refusal, slowest", "ms", percentile(sent_ms, 100))
    yield Value("refusal p99, from when it was to be sent", "ms", percentile(due_ms, 99))
    yield Value("refusals without Retry-After", "", sum("Retry-After" not in each.headers for each in refused), "<= 0")
    yield Value("neither answered nor refused", "", sum(each.outcome != ANSWERED for each in accepted), "<= 0")
    recovered_s = recovery_s(found.before, found.after, found.over_s)
    yield Value("as before after", "s", min(TIMEOUT_S, recovered_s), f"<= {_RECOVERY_S:g}")
    yield Value(f"whole p95 from {_RECOVERY_S:g} s after on / before", "x", later_p95_ms / p95_before_ms, f"<= {_RECOVERED}")
    yield Value("the clients' cores", "x", found.client_cores)


@dataclass(frozen=True)
class Window:
    """One side under one load."""

    results: Sequence[Result]
    #: By worker: ended speeches, and core time.
    speeches: tuple[float, ...]
    core_s: tuple[float, ...]
    #: Of GET /livez meanwhile.
    probes_s: tuple[float, ...]


def fairness(run: Run) -> Measure:
    """gunicorn's own workers and ours under half, nearly all and twice of what ours can take.

    The embedded voice, a worker a core. Ours and gthread: 2 threads; ours: admission.queue 16; gthread: 2 connections, so that
    all else waits in the kernel's backlog; sync: one request each. Texts of 18 to 415 characters, streamed, at random (Poisson)
    for 30 s; clients disconnect after 10 s, and run on the server's cores.
    Pairing: in each round all sides run at once and take the same requests at the same intervals, in turn.
    Figures: ms from when a request was due, of those with a complete answer, or of all, the others as 10 s; share answered;
    busiest / mean worker, which is also chance if few requests come; probes: GET /livez every half second. Target: ours, busiest
    / mean <= 1.25.
    """
    workers, for_s = usable_cores(), run.size(30.0, 3.0)
    config_path = embedded_voice(run).write_config(run.scratch, workers, threads=THREADS, admission={"queue": _QUEUE})

    def measure(number: int) -> Iterable[Value]:
        with ExitStack() as stack:
            servers = [stack.enter_context(started(kind, run.scratch)) for kind in worker_kinds(config_path)]
            for server in servers:
                server.wait_workers(workers)
                warm(server, _BUILTIN, workers * THREADS)
            capacity_hz, _ = measure_capacity(servers[0], _BUILTIN, workers * THREADS, for_s)
            yield Value("capacity of ours", "1/s", capacity_hz)
            for load, server in product(_LOADS, servers):
                progress(f"  {server.kind.name} at {load:g} of {capacity_hz:.2f} requests a second")
                window = _measure_window(server, load * capacity_hz, for_s, number)
                yield from window_values(f"{load:g} x, {server.kind.name}", window, server.kind.name == "ours")

    return measure


def worker_kinds(config_path: Path) -> tuple[Kind, ...]:
    """Return the same server three times, with other worker classes."""
    # gunicorn makes gthread of sync with more than one thread.
    sync = ("--worker-class", "sync", "--threads", "1")
    gthread = ("--worker-class", "gthread", "--threads", str(THREADS), "--worker-connections", str(THREADS))
    return ours(config_path), ours(config_path, *gthread, name="gthread"), ours(config_path, *sync, name="sync")


def busiest_to_mean(values: Sequence[float]) -> float:
    """Return the largest value over the mean; 1 if all are 0."""
    return max(values) / statistics.fmean(values) if any(values) else 1.0


def _measure_window(server: Server, rate_hz: float, for_s: float, seed: int) -> Window:
    """Send requests at random at a rate, whatever happens to earlier ones; wait until all are answered, or late."""
    board = server.board()
    pids = [int(row["pid"]) for row in board.working()]

    def totals() -> tuple[list[float], list[float]]:
        return [each.speeches for each in snapshot(board).workers], [sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids]

    def probe_s() -> float:
        began_s = time.perf_counter()
        result = send(server.address, Request("/livez", method="GET"))
        if result.status != http.client.OK:
            raise server.failure(f"{server.kind.name} answered /livez with {result.status}")
        return time.perf_counter() - began_s

    before = totals()
    with sampled(probe_s, _PROBE_EVERY_S) as probes_s:
        results = open_loop(server.address, poisson(_BUILTIN.draw(seed), rate_hz, for_s, seed), TIMEOUT_S, TIMEOUT_S)
    server.check()
    # Requests of clients that disconnected are no load for the next window.
    server.poll(lambda: not board.rows["active"].sum())
    speeches, took_s = (
        tuple(now - earlier for now, earlier in zip(after, then, strict=True)) for after, then in zip(totals(), before)
    )
    return Window(results, speeches, took_s, tuple(probes_s[1:]))


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


@click.option("--budget", default="10m", show_default=True, help="Of each run; see chorus tune.")
def tune(run: Run, budget: str) -> Measure:
    """The recommendation of chorus tune, again and again.

    The embedded voice; first_audio_p95=300ms, total_p95=2s.
    Pairing: none; every round is a run with the same arrivals.
    Figures: workers, threads, requests a second, share of runs with the most frequent answer. Target: all.
    """
    # The smallest form has one candidate: a budget has to be long enough for all.
    budget, candidates = run.size(budget, "1m"), run.size([], ["--workers", "1", "--threads", "2"])
    config = embedded_voice(run).write_config(run.scratch, 2)
    answers: list[tuple[int, int]] = []

    def measure(number: int) -> Iterable[Value]:
        out = run.scratch / f"round-{number}"
        words = ["--config", str(config), "--out", str(out), "--no-plot", "--budget", budget, "--slo", _OBJECTIVES]
        command = [sys.executable, "-m", "app.cli", "tune", *words, *candidates]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, _NO_CANDIDATE):
            raise ServerFailedError(f"chorus tune ended with status {done.returncode}")
        found = json.loads((out / "tune.json").read_text(encoding="utf-8"))["recommendation"]
        workers, threads = found["candidate"]["workers"], found["candidate"]["threads"]
        answers.append((workers, threads))
        yield Value("workers", "", workers)
        yield Value("threads", "", threads)
        yield Value("sustained", "1/s", found["rate_hz"])
        yield Value("capacity", "1/s", found["capacity_hz"])
        if number == run.rounds:
            ((_, times),) = Counter(answers).most_common(1)
            yield Value("same answer, of all", "x", times / len(answers), ">= 1")

    return measure
