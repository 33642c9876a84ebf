"""Overload: three times as many requests as the server can answer, and the capacity that this is measured against."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import click

from app.tuning.loadgen import ANSWERED, REFUSED, Result, closed_loop, open_loop, poisson
from app.tuning.workload import Text, Workload

from .report import Report, Run, Value, percentile, usable_cores
from .servers import Server, ours, started
from .voices import SENTENCES, embedded_voice, write_config

OPTIONS = (
    click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(5), help="Of too much load."),
    click.option("--window", default=25.0, show_default=True, type=click.FloatRange(5), help="Of the light load."),
    click.option("--slo", default=2.0, show_default=True, type=click.FloatRange(0.1), help="To the whole answer."),
)  # fmt: skip

#: Sentences of 5 to 30 words, each as often as the others.
_WORKLOAD = Workload(
    "sentences", tuple(Text({"response_format": "wav", "stream": True, "seed": 1, "input": text}) for text in SENTENCES)
)
THREADS = 2
#: Clients disconnect if their answer is not complete by then.
TIMEOUT_S = 10.0
_WARM_S = 2.0
#: Load before and after the overload, and the overload itself, as shares of the capacity.
_LIGHT, _HEAVY = 0.5, 3.0
#: Share of the objective that queue and service may take on average: neither takes that long always.
_PLANNED = 0.8
#: The server has recovered if requests take at most this many times as long as before; it should have after this time.
_RECOVERED, _RECOVERY_S = 1.2, 5.0


@dataclass(frozen=True)
class Capacity:
    """What a server answers if it is never idle. The work of a request is the audio in its answer."""

    #: Requests of average length a second.
    rate_hz: float
    #: Of an average answer.
    audio_s: float

    def rate_of(self, results: Sequence[Result], for_s: float) -> float:
        """Return how many requests of average length a second were answered."""
        return sum(each.audio_s for each in results if each.outcome == ANSWERED) / self.audio_s / for_s


def measure_capacity(server: Server, workload: Workload, clients: int, for_s: float) -> Capacity:
    """Have every worker speak, then that many clients ask in a closed loop.

    Raises:
        ServerFailedError: not one request was answered.
    """
    warm(server, workload, clients)
    results = closed_loop(server.address, workload.draw(0), clients, for_s, TIMEOUT_S)
    answered = [each for each in results if each.outcome == ANSWERED]
    if not answered:
        raise server.launched.failure(f"{server.kind.name} answered no request")
    audio_s = sum(each.audio_s for each in answered) / len(answered)
    # A request in flight at the end counts by the share of its time in the window.
    inside_s = sum(each.audio_s * min(1.0, (for_s - each.sent_s) / each.service_s) for each in answered)
    return Capacity(inside_s / audio_s / for_s, audio_s)


def warm(server: Server, workload: Workload, clients: int) -> None:
    """Have every worker speak."""
    closed_loop(server.address, workload.draw(0), 2 * clients, _WARM_S, TIMEOUT_S)


def offer(server: Server, workload: Workload, rate_hz: float, for_s: float, seed: int) -> list[Result]:
    """Send requests at random at a rate, whatever happens to earlier ones; wait until all are answered, or late.

    Raises:
        ServerFailedError: the server has ended.
    """
    results = open_loop(server.address, poisson(workload.draw(seed), rate_hz, for_s, seed), TIMEOUT_S, TIMEOUT_S)
    server.launched.check()
    return results


def latency_ms(results: Sequence[Result], measure: str, percent: float) -> float:
    """Return a percentile of a latency in milliseconds; a request without a complete answer counts as the timeout."""
    latencies_s = [min(TIMEOUT_S, each.latency_s(measure)) for each in results]
    return 1000 * (percentile(latencies_s, percent) if latencies_s else TIMEOUT_S)


@dataclass(frozen=True)
class Overload:
    """One overload, and the light load before and after it: the same requests at the same intervals."""

    capacity: Capacity
    slo_s: float
    over_s: float
    before: Sequence[Result]
    during: Sequence[Result]
    after: Sequence[Result]
    #: Cores that the clients used during and after, on average.
    client_cores: float


def overload(run: Run, seconds: float, window: float, slo: float) -> Report:
    """Three times what the server can answer: what it answers in time, how it refuses, and how it recovers.

    Pairing: the same light load before and after the overload; answered in time / the capacity measured before.
    Figures: requests a second, ms. Targets: answered in time / capacity >= 0.9; accepted p95 <= the objective; refusal p99 <=
    50 ms; recovered within 5 s.
    """
    model_path, workers = embedded_voice(run.scratch).model_path, usable_cores()
    over_s, window_s, places = run.size(seconds, 5.0), run.size(window, 5.0), workers * THREADS

    def measure(number: int) -> Iterable[Value]:
        config_path = write_config(run.scratch, model_path, workers, threads=THREADS)
        with started(ours(config_path), run.scratch / "capacity.log") as server:
            server.await_ready()
            capacity = measure_capacity(server, _WORKLOAD, places, window_s)
        admission = {"queue": queue_for(slo, capacity.rate_hz, places), "wait_s": slo}
        config_path = write_config(run.scratch, model_path, workers, threads=THREADS, admission=admission)
        with started(ours(config_path), run.scratch / "overload.log") as server:
            server.await_ready()
            warm(server, _WORKLOAD, places)
            return overload_values(_overload(server, capacity, slo, over_s, window_s, number))

    return run.report(
        measure,
        f"The embedded voice, {workers} workers of {THREADS} threads; sentences of 5 to 30 words, streamed. 95 % should be "
        f"complete within {slo:g} s: admission.wait_s is that, and admission.queue is what the server answers in {_PLANNED:g} of "
        "it, less twice the requests that are served at a time. All else by default.",
        f"Capacity: a closed loop of {places} clients, in requests of average length. Then {_LIGHT:g} of it at random (Poisson), "
        f"{_HEAVY:g} of it for {over_s:g} s, and at once the first load again. Latency counts from when a request was due; "
        f"clients disconnect after {TIMEOUT_S:g} s.",
        "A refusal is timed from when it was sent to its last byte, whether the queue was full or the wait too long.",
        f"As before: from then on all requests take at most {_RECOVERED:g} times the slowest of the same requests before the "
        f"overload; {TIMEOUT_S:g} s or more are shown as that, and one unlucky request is enough. The clients run on the "
        "server's cores.",
    )


def queue_for(slo_s: float, capacity_hz: float, places: int) -> int:
    """Return the queue length with which all requests are answered within the objective.

    As many requests as the server answers in most of `slo_s` may be in it. Those in service share the cores, and a text of
    twice the average length takes twice as long as they do on average: they count twice.
    """
    return max(0, min(1000, math.floor(_PLANNED * slo_s * capacity_hz - 2 * places)))


def _overload(server: Server, capacity: Capacity, slo_s: float, over_s: float, window_s: float, seed: int) -> Overload:
    light = poisson(_WORKLOAD.draw(seed), _LIGHT * capacity.rate_hz, window_s, seed)
    heavy = poisson(_WORKLOAD.draw(seed), _HEAVY * capacity.rate_hz, over_s, seed)
    before = open_loop(server.address, light, TIMEOUT_S, TIMEOUT_S)
    began_s, began_core_s = time.perf_counter(), time.process_time()
    # In one call: waiting for the last answers of the overload would miss the beginning of the load after it.
    arrivals = [*heavy, *(replace(each, due_s=over_s + each.due_s) for each in light)]
    results = open_loop(server.address, arrivals, TIMEOUT_S, TIMEOUT_S)
    client_cores = (time.process_time() - began_core_s) / (time.perf_counter() - began_s)
    server.launched.check()
    during, after = ([each for each in results if (each.due_s < over_s) is is_during] for is_during in (True, False))
    return Overload(capacity, slo_s, over_s, before, during, after, client_cores)


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
    in_time = [each for each in found.during if each.latency_s("total") <= found.slo_s]
    later = [each for each in found.after if each.due_s >= found.over_s + _RECOVERY_S]
    p95_before_ms = latency_ms(found.before, "total", 95)
    goodput = found.capacity.rate_of(in_time, found.over_s) / found.capacity.rate_hz
    yield Value("capacity", "1/s", found.capacity.rate_hz)
    yield Value("before: whole p50", "ms", latency_ms(found.before, "total", 50))
    yield Value("before: whole p95", "ms", p95_before_ms)
    yield Value("offered", "1/s", len(found.during) / found.over_s)
    yield Value("answered in time / capacity", "x", goodput, ">= 0.9")
    yield Value("accepted: first audio p95", "ms", latency_ms(accepted, "first_audio", 95))
    yield Value("accepted: whole p50", "ms", latency_ms(accepted, "total", 50))
    yield Value("accepted: whole p95", "ms", latency_ms(accepted, "total", 95), f"<= {1000 * found.slo_s:g}")
    yield from _refusal_values(refused, len(found.during))
    yield Value("neither answered nor refused", "", sum(each.outcome != ANSWERED for each in accepted), "<= 0")
    recovered_s = recovery_s(found.before, found.after, found.over_s)
    yield Value("as before after", "s", min(TIMEOUT_S, recovered_s), f"<= {_RECOVERY_S:g}")
    later_p95_ms = latency_ms(later, "total", 95)
    yield Value(f"whole p95 from {_RECOVERY_S:g} s after on / before", "x", later_p95_ms / p95_before_ms, f"<= {_RECOVERED}")
    yield Value("the clients' cores", "x", found.client_cores)


def _refusal_values(refused: Sequence[Result], of_requests: int) -> Iterable[Value]:
    sent_ms = [1000 * each.service_s for each in refused]
    due_ms = [1000 * (math.inf if each.total_s is None else each.total_s) for each in refused]
    yield Value("refused", "x", len(refused) / max(1, of_requests))
    yield Value("refusal p50", "ms", percentile(sent_ms, 50))
    yield Value("refusal p99", "ms", percentile(sent_ms, 99), "<= 50")
    yield Value("refusal, slowest", "ms", percentile(sent_ms, 100))
    yield Value("refusal p99, from when it was to be sent", "ms", percentile(due_ms, 99))
    yield Value("refusals without Retry-After", "", sum("Retry-After" not in each.headers for each in refused), "<= 0")
