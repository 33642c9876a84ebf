"""Whether another than the usual setting does a third more, beside it; then what the better one does again, with other luck."""

import math

from app.tuning.bench import Bench
from app.tuning.choice import chosen, contenders, displaces, rates_to_compare_hz
from app.tuning.journal import CONFIRM
from app.tuning.outcome import Outcome
from app.tuning.search import STEP_DOWN
from app.tuning.setting import Setting

#: Windows at one rate, each with arrivals of its own.
_WINDOWS = 3
#: Beyond this the remaining windows of a trial would not turn it.
_HOPELESS = 1.6
#: By how much the rate is lowered where it was as far off as that.
_LONG_STEP = 0.75
#: So many trials are expected: the stage's time is shared between them.
_EXPECTED = 3
#: Below this share of the best rate nobody is asked.
_LEAST_SHARE = 0.4


def confirm(bench: Bench) -> None:
    """Ask the usual setting, then for a third more whoever was seen to do that; then the answer for less, until it holds.

    A search looked for the highest of several lucky windows, so that a tenth less is what may hold.
    """
    slot_s = bench.slot_s(CONFIRM, _WINDOWS * _EXPECTED, _EXPECTED)
    try:
        _compare(bench, slot_s)
        _lower(bench, slot_s)
    except _NoTimeError:
        bench.journal.add("there was no time to confirm a rate with other arrivals; give a larger --budget")


class _NoTimeError(Exception):
    """The budget is used up."""


def _compare(bench: Bench, slot_s: float) -> None:
    """Ask for the rates that tell whether the first of the contenders is to be displaced, until one of them displaces it."""
    usual, *others = contenders(bench.question, bench.journal)
    rates_hz = rates_to_compare_hz(usual, others)
    _asked(bench, usual.setting, rates_hz[usual.setting], slot_s)
    for each in (each for each in others if each.setting in rates_hz):
        _asked(bench, each.setting, rates_hz[each.setting], slot_s)
        if displaces(bench.question, bench.journal, each, usual, others):
            return


def _lower(bench: Bench, slot_s: float) -> None:
    """Ask the answer for what was found of it, and for less and less until it holds a rate."""
    answer = chosen(bench.question, bench.journal)
    if answer is None:
        return
    # Whoever was asked while settings were compared was asked for no less than what was found of it.
    asked_hz = [each.rate_hz or 0.0 for each in bench.journal.of(CONFIRM, answer.setting)]
    rate_hz = max(asked_hz, default=answer.rate_hz * STEP_DOWN)
    least_hz = rate_hz * _LEAST_SHARE
    while rate_hz >= least_hz:
        together = [one for each in bench.journal.of(CONFIRM, answer.setting) if each.rate_hz == rate_hz for one in each.outcomes]
        used = bench.score(together) if together else _asked(bench, answer.setting, rate_hz, slot_s, _HOPELESS)
        if used <= 1:
            return
        rate_hz *= STEP_DOWN if used <= _HOPELESS else _LONG_STEP
    bench.journal.add("the rates that were found did not hold with other arrivals; the machine may be busy otherwise")


def _asked(bench: Bench, setting: Setting, rate_hz: float, slot_s: float, hopeless: float = math.inf) -> float:
    """Ask a setting for a rate, three times with arrivals of their own; return how the objectives were used up in all.

    A trial that is hopeless is ended early, where nothing is to be compared with it.
    """
    together: list[Outcome] = []
    if bench.left_s <= 0:
        raise _NoTimeError
    with bench.started(setting) as stand:
        for number in range(1, _WINDOWS + 1):
            together += bench.open(stand, CONFIRM, setting, rate_hz, slot_s, bench.question.seed + number).outcomes
            if bench.score(together) > hopeless:
                break
    return bench.score(together)
