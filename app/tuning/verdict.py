"""Which setting is recommended. Drawn from a journal that may end anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.checking import Check, checks_of, doubts, unsteadiness
from app.tuning.choice import CLOSE, chosen, compared, fits
from app.tuning.crowd import tolerable_crowd
from app.tuning.findings import Service, capacity_of, service_of
from app.tuning.journal import Journal
from app.tuning.memory import Need, need_of
from app.tuning.plan import Question
from app.tuning.search import Sustained, confirmed_hz, unconfirmed_hz
from app.tuning.setting import Setting


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


def _nearest_miss(question: Question, journal: Journal, seen: Sequence[Sustained]) -> Sustained:
    """Return which setting comes closest to what was asked for, where none does it: the first of those too close to tell."""
    fitting = [each for each in seen if fits(question, journal, each.setting)] or seen
    least = min(each.score for each in fitting)
    return next(each for each in fitting if each.score * CLOSE <= least)


def verdict_of(question: Question, journal: Journal) -> Verdict | None:
    """Return what is recommended, or what came nearest; None where no setting was under an open load yet."""
    service = service_of(journal, question.mix, question.objectives)
    need = need_of(journal, question.longest_characters)
    seen = compared(question, journal)
    if service is None or need is None or not seen:
        return None
    found = chosen(question, journal)
    best = found or _nearest_miss(question, journal, seen)
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
