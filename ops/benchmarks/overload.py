"""Three times as many requests as the server can answer, for a minute: what it still answers in time, and how it refuses."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from app.tuning.load import poisson
from app.tuning.mix import Line, Mix
from app.tuning.outcome import ANSWERED, REFUSED, Outcome
from app.tuning.setting import Setting

from .loads import PATIENCE_S, Capacity, measured, offer, percentile_ms, warm, work_hz
from .machine import usable_cores
from .report import Figure, Report, Target, figure, progress
from .servers import ours, started
from .texts import SENTENCES
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(5), help="Of too much load."),
    click.option("--window", default=25.0, show_default=True, type=click.FloatRange(5), help="Of the light load."),
    click.option("--slo", default=2.0, show_default=True, type=click.FloatRange(0.1), help="To the whole answer."),
)  # fmt: skip

_THREADS = 2
#: Of the capacity: before and after, and meanwhile.
_LIGHT, _HEAVY = 0.5, 3.0
#: Of the objective, what queue and service may take on average: neither takes that long always.
_PLANNED = 0.8
#: So much slower than before is as before, and from so long after on it should be.
_AS_BEFORE, _SOON_S = 1.2, 5.0


@dataclass(frozen=True)
class Round:
    """One overload, and the light load before and after it: the same requests at the same intervals."""

    capacity: Capacity
    queue: int
    slo_s: float
    over_s: float
    before: tuple[Outcome, ...]
    during: tuple[Outcome, ...]
    after: tuple[Outcome, ...]
    #: Cores that the clients kept busy during and after, on average.
    client_cores: float

    @property
    def in_time(self) -> list[Outcome]:
        """Requests of the overload that were answered whole within the objective."""
        return [each for each in self.during if each.latency_s("total") <= self.slo_s]

    @property
    def goodput(self) -> float:
        """What was answered in time over what the server can answer."""
        return work_hz(self.in_time, self.over_s, self.capacity.service) / self.capacity.rate_hz

    @property
    def accepted(self) -> list[Outcome]:
        """Requests of the overload that were not refused."""
        return [each for each in self.during if each.fate != REFUSED]

    @property
    def refused(self) -> list[Outcome]:
        """Requests of the overload that were."""
        return [each for each in self.during if each.fate == REFUSED]

    @property
    def recovery_s(self) -> float:
        """From the end of the overload to the first moment from which all requests took as long as before."""
        return recovery_s(self.before, self.after, self.over_s)

    @property
    def later(self) -> list[Outcome]:
        """Requests of the light load that came when the overload should have been forgotten."""
        return [each for each in self.after if each.intended_s >= self.over_s + _SOON_S]


def overload(rounds: int, scratch: Path, seconds: float, window: float, slo: float) -> Report:
    """Three times what the server can answer: what it answers in time, how it refuses the rest, and when it is over."""
    model_path, setting = embedded_voice(scratch).model_path, Setting(usable_cores(), _THREADS)
    found = [_round(number, model_path, setting, scratch, (seconds, window, slo)) for number in range(1, rounds + 1)]
    return Report(_figures(found), _notes(setting, found))


def queue_for(slo_s: float, capacity_hz: float, setting: Setting) -> int:
    """Return how many may wait where all are to be answered within the objective.

    As many requests as the server answers in most of `slo_s` may be in it. Those that have their turn share the
    cores, and a text of twice the average length takes twice as long as they do on average: they count twice.
    """
    return max(0, min(1000, math.floor(_PLANNED * slo_s * capacity_hz - 2 * setting.places)))


def recovery_s(before: Sequence[Outcome], after: Sequence[Outcome], from_s: float) -> float:
    """Return how long after `from_s` that request was sent from which on all took as long as before; infinite: there is none.

    A request takes as long as before while it is answered, and no more than a fifth slower than the slowest before.
    """
    bound_s = _AS_BEFORE * max((each.latency_s("total") for each in before if each.fate == ANSWERED), default=0.0)
    moments_s = [from_s, *(each.intended_s for each in after), math.inf]
    slow = [place for place, each in enumerate(after, 2) if each.latency_s("total") > bound_s]
    return moments_s[max(slow, default=0)] - from_s


def _round(number: int, model_path: str, setting: Setting, scratch: Path, lengths_s: tuple[float, float, float]) -> Round:
    over_s, window_s, slo_s = lengths_s
    mix = sentences()
    with started(ours(_config(scratch, model_path, setting)), scratch / "capacity.log") as server:
        server.await_ready()
        capacity = measured(server, mix, setting, window_s)
    queue = queue_for(slo_s, capacity.rate_hz, setting)
    admission = {"queue": queue, "wait_s": slo_s}
    light = poisson(mix, _LIGHT * capacity.rate_hz, window_s, seed=number)
    heavy = poisson(mix, _HEAVY * capacity.rate_hz, over_s, seed=number)
    with started(ours(_config(scratch, model_path, setting, admission=admission)), scratch / "overload.log") as server:
        server.await_ready()
        warm(server, mix, setting)
        before = offer(server, light)
        began_s, began_core_s = time.perf_counter(), time.process_time()
        # In one go: who waits for the last answers of an overload has missed the beginning of what is after.
        both = offer(server, [*heavy, *(replace(each, intended_s=over_s + each.intended_s) for each in light)])
        client_cores = (time.process_time() - began_core_s) / (time.perf_counter() - began_s)
    during, after = (tuple(each for each in both if (each.intended_s < over_s) is is_during) for is_during in (True, False))
    found = Round(capacity, queue, slo_s, over_s, before, during, after, client_cores)
    progress(
        f"round {number}: capacity {capacity.rate_hz:.2f} requests a second, queue {queue}: goodput {found.goodput:.2f}, "
        f"p95 {percentile_ms(found.accepted, 'total', 95):.0f} ms, as before after {found.recovery_s:.1f} s"
    )
    return found


def sentences() -> Mix:
    """Return single sentences of 5 to 30 words, each as often as the others."""
    how = {"response_format": "wav", "stream": True, "seed": 1}
    return Mix("sentences", tuple(Line({**how, "input": text}) for text in SENTENCES))


def _config(scratch: Path, model_path: str, setting: Setting, **more: object) -> Path:
    return write_config(scratch, model_path, setting.workers, threads=setting.threads, **more)


def refusal_ms(outcome: Outcome, since_s: float) -> float:
    """Return the milliseconds from a moment to the end of a refusal."""
    return 1000 * ((outcome.ended_s or math.inf) - since_s)


def ranked(values: Sequence[float], percentile: float) -> float:
    """Return a percentile by nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percentile / 100 * len(ordered)) - 1)] if ordered else 0.0


def _figures(rounds: Sequence[Round]) -> tuple[Figure, ...]:
    return (
        figure("capacity", "1/s", rounds, lambda each: each.capacity.rate_hz),
        figure("before: whole p50", "ms", rounds, lambda each: percentile_ms(each.before, "total", 50)),
        figure("before: whole p95", "ms", rounds, lambda each: percentile_ms(each.before, "total", 95)),
        figure("offered", "1/s", rounds, lambda each: len(each.during) / each.over_s),
        figure("answered in time / capacity", "x", rounds, lambda each: each.goodput, Target(">=", 0.9)),
        figure("accepted: first audio p95", "ms", rounds, lambda each: percentile_ms(each.accepted, "first_audio", 95)),
        figure("accepted: whole p50", "ms", rounds, lambda each: percentile_ms(each.accepted, "total", 50)),
        figure("accepted: whole p95", "ms", rounds, lambda each: percentile_ms(each.accepted, "total", 95),
               Target("<=", 1000 * rounds[0].slo_s)),
        *_refusal_figures(rounds),
        figure("neither answered nor refused", "", rounds,
               lambda each: sum(one.fate != ANSWERED for one in each.accepted), Target("<=", 0)),
        figure("as before after", "s", rounds, lambda each: min(PATIENCE_S, each.recovery_s), Target("<=", _SOON_S)),
        figure(f"whole p95 from {_SOON_S:g} s after on / before", "x", rounds,
               lambda each: percentile_ms(each.later, "total", 95) / percentile_ms(each.before, "total", 95),
               Target("<=", _AS_BEFORE)),
        figure("the clients' cores", "x", rounds, lambda each: each.client_cores),
    )  # fmt: skip


def _refusal_figures(rounds: Sequence[Round]) -> tuple[Figure, ...]:
    sent_ms = [[refusal_ms(each, each.sent_s) for each in one.refused] for one in rounds]
    meant_ms = [[refusal_ms(each, each.intended_s) for each in one.refused] for one in rounds]
    return (
        figure("refused", "x", rounds, lambda each: len(each.refused) / max(1, len(each.during))),
        figure("refusal p50", "ms", sent_ms, lambda each: ranked(each, 50)),
        figure("refusal p99", "ms", sent_ms, lambda each: ranked(each, 99), Target("<=", 50)),
        figure("refusal, slowest", "ms", sent_ms, lambda each: ranked(each, 100)),
        figure("refusal p99, from when it was to be sent", "ms", meant_ms, lambda each: ranked(each, 99)),
        figure("refusals without Retry-After", "", rounds,
               lambda each: sum(one.retry_after is None for one in each.refused), Target("<=", 0)),
    )  # fmt: skip


def _notes(setting: Setting, rounds: Sequence[Round]) -> tuple[str, ...]:
    first, queues = rounds[0], ", ".join(str(each.queue) for each in rounds)
    return (
        f"The embedded voice, {setting.workers} workers of {setting.threads} threads; sentences of 5 to 30 words, streamed. 95 % "
        f"are to be whole within {first.slo_s:g} s: admission.wait_s is that, and admission.queue is what the server answers "
        f"in {_PLANNED:g} of it, less twice the requests that are served at a time: {queues}. All else is as by default.",
        f"Capacity is what a closed loop of {setting.places} clients gets, in requests of average length. Then {_LIGHT:g} of it "
        f"at random (Poisson), {_HEAVY:g} of it for {first.over_s:g} s, and at once the first load again. Latency counts from "
        f"when a request was meant to be sent; clients hang up after {PATIENCE_S:g} s.",
        "A refusal is timed from when it was sent to its last byte, whether the queue was full or the wait too long.",
        f"As before: from then on all requests take at most {_AS_BEFORE:g} times the slowest of the same requests before the "
        f"overload; {PATIENCE_S:g} s or more are shown as that, and one unlucky request is enough. The clients run on the "
        "server's cores.",
    )  # fmt: skip
