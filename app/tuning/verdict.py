"""Which setting is recommended. Drawn from a journal that may end anywhere."""

from dataclasses import dataclass

from app.tuning.checking import Check, checks_of, doubts, unsteadiness
from app.tuning.crowd import tolerable_crowd
from app.tuning.findings import Service, capacity_of, service_of
from app.tuning.journal import Journal
from app.tuning.memory import Need, need_of
from app.tuning.plan import Question
from app.tuning.search import STEP_DOWN, Sustained, confirmed_hz, sustained, unconfirmed_hz
from app.tuning.setting import Setting

#: One window each does not tell apart what is so close to the best.
_CLOSE = 0.8
#: A little more than a step by which rates are lowered while they are confirmed.
_ONE_STEP = STEP_DOWN * 0.99


@dataclass(frozen=True)
class Verdict:
    """What comes of it all."""

    setting: Setting
    #: Whether this setting meets the objectives at some rate, and fits into the memory.
    is_met: bool
    #: The highest rate that met them, confirmed if it could be; 0 where none did.
    rate_hz: float
    is_confirmed: bool
    #: How the objectives were used up at that rate, or at the lowest that was tried.
    score: float
    #: Requests a second when it is never idle.
    capacity_hz: float
    #: How many requests it works on at a time without slowing one down.
    servers: int
    #: How many others a request may find there and still be in time, more often than not.
    crowd: int
    service: Service
    need: Need
    fits: bool
    checks: tuple[Check, ...]
    #: What makes it less sure, in sentences.
    doubts: tuple[str, ...]


def chosen(question: Question, journal: Journal) -> Sustained | None:
    """Return the setting whose rate was confirmed; before that, of those that are too close to tell, the cheapest.

    None where no setting meets the objectives and fits into the memory.
    """
    close = contenders(question, journal)
    held_hz = {each: confirmed_hz(journal, each.setting, question.objectives) or 0.0 for each in close}
    best_hz = max(held_hz.values(), default=0.0)
    # The order is by cost, and confirmed rates are whole steps apart.
    return next((each for each in close if held_hz[each] >= best_hz * _ONE_STEP), None)


def contenders(question: Question, journal: Journal) -> list[Sustained]:
    """Return the settings whose rates are too close to the best to tell them apart, the cheapest first."""
    met = [each for each in compared(question, journal) if each.rate_hz > 0 and fits(question, journal, each.setting)]
    best_hz = max((each.rate_hz for each in met), default=0.0)
    return [each for each in met if each.rate_hz >= best_hz * _CLOSE]


def compared(question: Question, journal: Journal) -> list[Sustained]:
    """Return what every setting was seen to do under an open loop, the cheapest first."""
    measured = (sustained(journal, each, question.objectives) for each in question.settings)
    return [each for each in measured if each]


def fits(question: Question, journal: Journal, setting: Setting) -> bool:
    """Whether a setting's workers fit into the memory, as far as that is known."""
    need = need_of(journal, question.longest_characters)
    return need is None or setting.workers <= need.most_workers(question.memory_bytes)


def verdict_of(question: Question, journal: Journal) -> Verdict | None:
    """Return what is recommended, or what came nearest; None where no setting was under an open load yet."""
    service = service_of(journal, question.mix, question.objectives)
    need = need_of(journal, question.longest_characters)
    seen = compared(question, journal)
    if service is None or need is None or not seen:
        return None
    found = chosen(question, journal)
    best = found or min(seen, key=lambda each: (not fits(question, journal, each.setting), each.score, each.setting))
    confirmed_rate_hz = confirmed_hz(journal, best.setting, question.objectives)
    rate_hz = confirmed_rate_hz or unconfirmed_hz(journal, best)
    capacity = capacity_of(journal, best.setting, service)
    capacity_hz = capacity.rate_hz if capacity else 0.0
    servers = max(1, round(capacity_hz * service.mean_s))
    checks = checks_of(journal, best.setting, service, capacity_hz, servers)
    return Verdict(
        setting=best.setting,
        is_met=found is not None,
        rate_hz=rate_hz,
        is_confirmed=confirmed_rate_hz is not None,
        score=best.score,
        capacity_hz=capacity_hz,
        servers=servers,
        crowd=tolerable_crowd(journal, best.setting, question.objectives),
        service=service,
        need=need,
        fits=fits(question, journal, best.setting),
        checks=checks,
        doubts=(*journal.remarks, *doubts(checks), *unsteadiness(journal, best.setting, rate_hz, question.objectives)),
    )
