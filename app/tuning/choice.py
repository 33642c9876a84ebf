"""Which setting is the answer: the usual one, unless another does clearly more beside it. A journal may end anywhere.

Most settings of a machine do the same within the luck of a percentile: of nine on two cores the capacities were 10 % around
their mean (2026-11-29), and whoever takes the best of them names another one every time.
"""

from collections.abc import Sequence

from app.tuning.findings import score
from app.tuning.journal import CONFIRM, Journal
from app.tuning.memory import need_of
from app.tuning.plan import Question
from app.tuning.search import STEP_DOWN, Sustained, confirmed_hz, sustained
from app.tuning.setting import Setting, nearest_first

#: Luck makes rates of settings that do the same differ by as much: only one that does a third more displaces the usual one.
CLOSE = 0.75


def chosen(question: Question, journal: Journal) -> Sustained | None:
    """Return the usual setting, unless another displaced it, or it was seen to meet the objectives at no rate.

    None where no setting meets the objectives and fits into the memory.
    """
    asked = contenders(question, journal)
    if not asked:
        return None
    usual, *others = asked
    displacing = next((each for each in others if displaces(question, journal, each, usual, others)), None)
    is_met = usual.rate_hz > 0 or confirmed_hz(journal, usual.setting, question.objectives)
    return displacing or (usual if is_met else others[0])


def displaces(question: Question, journal: Journal, one: Sustained, usual: Sustained, others: Sequence[Sustained]) -> bool:
    """Whether another setting uses up less of the objectives at a third more requests; or may do, where nobody asked."""
    rates_hz = rates_to_compare_hz(usual, others)
    if one.setting not in rates_hz:
        return False
    its, used = (_used(question, journal, each, rates_hz[each]) for each in (one.setting, usual.setting))
    if its is None or used is None:
        return used is None or used > 1
    return its < used


def contenders(question: Question, journal: Journal) -> list[Sustained]:
    """Return the settings of which one is the answer: first the nearest to the usual, then those close to the best.

    Empty where none met the objectives.
    """
    fitting = [each for each in compared(question, journal) if fits(question, journal, each.setting)]
    best_hz = max((each.rate_hz for each in fitting), default=0.0)
    return fitting[:1] + [each for each in fitting[1:] if each.rate_hz >= CLOSE * best_hz] if best_hz else []


def rates_to_compare_hz(usual: Sustained, others: Sequence[Sustained]) -> dict[Setting, float]:
    """Return at which rates settings are compared: the usual one at what it may hold, whoever did a third more at that.

    The same arrivals, faster: so neither their luck decides nor where a search ended, as both are the same for all.
    """
    best_hz = max(each.rate_hz for each in (usual, *others))
    rate_hz = max(usual.rate_hz, best_hz * CLOSE) * STEP_DOWN
    return {usual.setting: rate_hz, **{each.setting: rate_hz / CLOSE for each in others if each.rate_hz * CLOSE >= usual.rate_hz}}


def _used(question: Question, journal: Journal, setting: Setting, rate_hz: float) -> float | None:
    """Return how the objectives were used up where a setting was asked again for a rate; None where it was not."""
    outcomes = [one for each in journal.of(CONFIRM, setting) if each.rate_hz == rate_hz for one in each.outcomes]
    return score(outcomes, question.objectives) if outcomes else None


def compared(question: Question, journal: Journal) -> list[Sustained]:
    """Return what every setting was seen to do under an open loop, the nearest to the usual first."""
    ordered = nearest_first(question.settings, question.cores)
    measured = (sustained(journal, each, question.objectives) for each in ordered)
    return [each for each in measured if each]


def fits(question: Question, journal: Journal, setting: Setting) -> bool:
    """Whether a setting's workers fit into the memory, as far as that is known."""
    need = need_of(journal, question.longest_characters)
    return need is None or setting.workers <= need.most_workers(question.memory_bytes)
