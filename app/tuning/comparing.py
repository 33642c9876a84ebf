"""All settings against each other: first how much each can do, then what the best ones sustain."""

import math
from collections.abc import Sequence

from app.tuning.bench import ENOUGH, Bench
from app.tuning.findings import Capacity, Service, capacity_of
from app.tuning.journal import SCREEN, SEARCH, SWEEP, MemoryReading
from app.tuning.memory import highest
from app.tuning.search import STEPS, next_rate_hz
from app.tuning.setting import Setting, nearest_first

#: A setting with less of the best one's capacity cannot sustain as much, whatever its latencies.
_WORTH = 0.9
#: Of the best capacity: busy enough for queues to show, not so busy that luck decides.
_SCREENING_LOAD = 0.6
_FINALISTS = 3
#: Scores so close are the same: percentiles of some twenty requests, of settings that do the same, are up to 1.2 times apart.
_SAME_SCORE = 1.5
#: How a setting's time in the sweep is shared between one client, one a core, and as many as it takes.
_SHARES = (0.2, 0.3, 0.5)


def sweep(bench: Bench, settings: Sequence[Setting], service: Service) -> list[Capacity]:
    """Measure what each setting can do, and its memory while it does."""
    slot_s = bench.slot_s(SWEEP, len(settings), len(settings))
    return [_swept(bench, each, slot_s, service) for each in settings]


def _swept(bench: Bench, setting: Setting, slot_s: float, service: Service) -> Capacity:
    with bench.started(setting) as stand:
        with highest(stand.memory) as peak:
            for clients, share in zip(_client_counts(setting, bench.question.cores), _SHARES):
                bench.closed(stand, SWEEP, setting, clients, slot_s * share)
        bench.journal.add(MemoryReading("load", setting, peak[0]))
    capacity = capacity_of(bench.journal, setting, service) or Capacity(setting, 0.0, None)
    bench.telling.done(f"{setting}: {capacity.rate_hz:.2f} requests a second at the most")
    return capacity


def _client_counts(setting: Setting, cores: float) -> tuple[int, int, int]:
    busy = max(2, math.ceil(cores))
    return 1, busy, max(2 * busy, setting.places)


def screen(bench: Bench, capacities: Sequence[Capacity]) -> list[Capacity]:
    """Offer the same load to every setting that could carry it; return those to search for the rates of.

    The one that is nearest to the usual is always among them, and first, unless it is clearly behind.
    """
    best_hz = max(each.rate_hz for each in capacities)
    usual = nearest_first((each.setting for each in capacities), bench.question.cores)[0]
    worth = [each for each in capacities if each.rate_hz >= best_hz * _WORTH or each.setting == usual]
    slot_s, scores = bench.slot_s(SCREEN, len(worth), len(worth)), {}
    for each in worth:
        with bench.started(each.setting) as stand:
            window = bench.open(stand, SCREEN, each.setting, best_hz * _SCREENING_LOAD, slot_s, bench.question.seed)
        scores[each.setting] = bench.score(window.outcomes)
    by_score = sorted((each for each in worth if each.setting != usual), key=lambda each: (scores[each.setting], each.setting))
    others = by_score[: _FINALISTS - 1]
    standing = [each for each in worth if each.setting == usual]
    is_behind = scores[usual] > min(scores.values()) * _SAME_SCORE
    return [*others, *standing] if is_behind else [*standing, *others]


def search(bench: Bench, finalists: Sequence[Capacity]) -> None:
    """Halve the range of rates of each finalist, to the highest at which it meets the objectives."""
    finalists = _affordable(bench, finalists)
    slot_s = bench.slot_s(SEARCH, len(finalists) * STEPS, len(finalists))
    for each in finalists:
        with bench.started(each.setting) as stand:
            for _ in range(STEPS):
                if bench.left_s <= 0:
                    bench.journal.add("there was no time to search for every setting's highest rate; give a larger --budget")
                    return
                tried = [*bench.journal.of(SCREEN, each.setting), *bench.journal.of(SEARCH, each.setting)]
                rate_hz = next_rate_hz(tried, each.rate_hz, bench.question.objectives)
                if rate_hz is None:
                    break
                bench.open(stand, SEARCH, each.setting, rate_hz, slot_s, bench.question.seed)


def _affordable(bench: Bench, finalists: Sequence[Capacity]) -> Sequence[Capacity]:
    """Return as many of the first as there is time for, with windows long enough for a percentile."""
    for count in range(len(finalists), 1, -1):
        slot_s = bench.slot_s(SEARCH, count * STEPS, count)
        if slot_s * _SCREENING_LOAD * finalists[0].rate_hz >= ENOUGH:
            return finalists[:count]
    return finalists[:1]
