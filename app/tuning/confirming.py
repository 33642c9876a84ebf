"""Which of the best settings does it again, with other luck: the cheapest that does is the answer."""

from collections.abc import Sequence

from app.tuning.bench import Bench
from app.tuning.journal import CONFIRM
from app.tuning.outcome import Outcome
from app.tuning.search import STEP_DOWN
from app.tuning.setting import Setting

#: Windows at one rate, each with arrivals of its own.
_WINDOWS = 3
#: How often the rate is lowered before nothing is confirmed.
_ATTEMPTS = 6
#: Beyond this the remaining windows of a trial would not turn it.
_HOPELESS = 1.6
#: By how much the rate is lowered where even the best was as far off as that.
_LONG_STEP = 0.75
#: Scores so close at one rate are the same: whoever failed there beside one who did not was less lucky.
_SAME_SCORE = 1.15
#: So many trials are expected: the stage's time is shared between them.
_EXPECTED = 3


def confirm(bench: Bench, settings: Sequence[Setting], best_hz: float) -> None:
    """Ask nine tenths of the best rate of each setting, the cheapest first, until one sustains it; if none does, ask less.

    A cheaper one that hardly missed it is asked for less by itself.
    """
    slot_s, left = bench.slot_s(CONFIRM, _WINDOWS * _EXPECTED, _EXPECTED), sorted(settings)
    rate_hz, is_found = best_hz * STEP_DOWN, False
    for _ in range(_ATTEMPTS):
        scores = _round(bench, left, rate_hz, slot_s)
        if not scores:
            bench.journal.add("there was no time to confirm a rate with other arrivals; give a larger --budget")
            return
        least = min(scores.values())
        if least <= 1:
            left, is_found = [each for each in scores if 1 < scores[each] <= least * _SAME_SCORE], True
        if not left:
            return
        rate_hz *= STEP_DOWN if least <= _HOPELESS else _LONG_STEP
    if not is_found:
        bench.journal.add("the rates that were found did not hold with other arrivals; the machine may be busy otherwise")


def _round(bench: Bench, settings: Sequence[Setting], rate_hz: float, slot_s: float) -> dict[Setting, float]:
    """Ask one setting after the other until one sustains the rate; return what was found, nothing where the time is over."""
    scores: dict[Setting, float] = {}
    for setting in settings:
        if bench.left_s <= 0:
            return {}
        scores[setting] = _asked(bench, setting, rate_hz, slot_s)
        if scores[setting] <= 1:
            break
    return scores


def _asked(bench: Bench, setting: Setting, rate_hz: float, slot_s: float) -> float:
    """Ask a setting for a rate, three times with arrivals of their own; return how the objectives were used up in all."""
    together: list[Outcome] = []
    with bench.started(setting) as stand:
        for number in range(1, _WINDOWS + 1):
            together += bench.open(stand, CONFIRM, setting, rate_hz, slot_s, bench.question.seed + number).outcomes
            if bench.score(together) > _HOPELESS:
                break
    return bench.score(together)
