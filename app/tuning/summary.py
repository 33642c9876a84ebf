"""What came of it, in lines for a terminal."""

from collections.abc import Iterator, Sequence

from app.tuning.advice import Advice
from app.tuning.findings import capacity_of, service_of
from app.tuning.journal import Journal
from app.tuning.memory import need_of
from app.tuning.objectives import shown_objectives
from app.tuning.plan import Question
from app.tuning.quantities import shown_duration, shown_size
from app.tuning.search import sustained
from app.tuning.verdict import Verdict


def summary(question: Question, journal: Journal, verdict: Verdict | None, advice: Sequence[Advice]) -> Iterator[str]:
    """Yield the lines: every setting, theory beside measurement, what is recommended, and what makes that less sure."""
    yield from _settings(question, journal)
    if verdict is None:
        yield from (f"mind: {each}" for each in journal.remarks)
        return
    yield from _checks(verdict)
    yield ""
    yield conclusion(question, verdict)
    yield from (f"  {each.key}: {each.value:g}" for each in advice)
    yield from (f"mind: {each}" for each in verdict.doubts)


def conclusion(question: Question, verdict: Verdict) -> str:
    """Return the one sentence that matters."""
    asked, setting = shown_objectives(question.objectives), verdict.setting
    named = f"{setting.workers} {'worker' if setting.workers == 1 else 'workers'} of {setting.threads} threads"
    if verdict.is_met:
        return (
            f"{named}: {verdict.rate_hz:.2f} requests a second within {asked}; "
            f"{verdict.capacity_hz * 0.7:.2f} leave the usual third of the capacity free"
        )
    if not verdict.fits:
        need = shown_size(verdict.need.of(setting.workers))
        return f"not even {named} fit into {shown_size(question.memory_bytes)}: {need} are needed"
    return f"no setting meets {asked}; the nearest is {named}, {shortfall(verdict)}"


def shortfall(verdict: Verdict) -> str:
    """Say by how much the nearest setting misses."""
    if verdict.score == float("inf"):
        return "and too many of its requests went unanswered even at the lowest rate that was tried"
    return f"at {verdict.score:.3g} times what is allowed at the lowest rate that was tried"


def _settings(question: Question, journal: Journal) -> Iterator[str]:
    service = service_of(journal, question.mix, question.objectives)
    need = need_of(journal, question.longest_characters)
    if service is None:
        return
    yield f"{'workers x threads':>17}  {'capacity/s':>10}  {'sustained/s':>11}  {'contention':>10}  {'memory, most':>12}"
    for setting in question.settings:
        capacity, seen = capacity_of(journal, setting, service), sustained(journal, setting, question.objectives)
        if capacity is None:
            continue
        rate = f"{seen.rate_hz:.2f}" if seen else "-"
        contention = f"{capacity.scaling.contention:.2f}" if capacity.scaling else "-"
        memory = shown_size(need.of(setting.workers)) if need else "-"
        yield f"{setting!s:>17}  {capacity.rate_hz:>10.2f}  {rate:>11}  {contention:>10}  {memory:>12}"


def _checks(verdict: Verdict) -> Iterator[str]:
    if not verdict.checks:
        return
    yield ""
    yield f"M/G/{verdict.servers} of {verdict.setting} (Allen, Cunneen): mean from being meant to be sent to the last byte"
    yield f"{'requests/s':>17}  {'load':>10}  {'predicted':>11}  {'measured':>10}"
    for check in verdict.checks:
        predicted = "endless" if check.predicted_mean_s == float("inf") else shown_duration(check.predicted_mean_s)
        measured, apart = shown_duration(check.measured_mean_s), "  apart" if check.is_apart else ""
        yield f"{check.rate_hz:>17.2f}  {check.load:>10.2f}  {predicted:>11}  {measured:>10}{apart}"
