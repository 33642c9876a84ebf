"""How many requests may be in the server before the next one is in vain: seen, not derived."""

from collections.abc import Iterator, Sequence

import numpy as np

from app.tuning.journal import CONFIRM, SCREEN, SEARCH, Journal
from app.tuning.objectives import Objective
from app.tuning.outcome import Outcome
from app.tuning.setting import Setting


def tolerable_crowd(journal: Journal, setting: Setting, objectives: Sequence[Objective]) -> int:
    """Return the largest n such that of the requests that found n others or more in the server, half were still in time.

    A formula would have to know how the server shares itself between requests; this does not.
    """
    windows = [each for stage in (SCREEN, SEARCH, CONFIRM) for each in journal.of(stage, setting)]
    seen = sorted((pair for each in windows for pair in _found(each.outcomes, objectives)), reverse=True)
    crowd = in_time = 0
    for count, (others, met) in enumerate(seen, 1):
        in_time += met
        if 2 * in_time >= count:
            crowd = max(crowd, others)
    return crowd


def _found(outcomes: Sequence[Outcome], objectives: Sequence[Objective]) -> Iterator[tuple[int, bool]]:
    """Yield for each request how many others it found, and whether it met every objective."""
    ended_s = np.sort([np.inf if each.ended_s is None else each.ended_s for each in outcomes])
    for position, each in enumerate(outcomes):
        gone = int(np.searchsorted(ended_s, each.intended_s, side="right"))
        yield position - gone, all(each.latency_s(one.measure) <= one.bound_s for one in objectives)
