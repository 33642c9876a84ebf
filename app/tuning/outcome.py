"""What became of one request, and of many."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Fates. Everything but the first counts against a setting.
ANSWERED = "answered"
#: 503 or 429.
REFUSED = "refused"
#: Any other status but 200.
ERROR = "error"
#: The answer ended before it was whole, or held no audio.
CUT = "cut"
#: No connection, or no HTTP.
UNREACHABLE = "unreachable"
#: Not answered by the time at which it had missed every objective; the client left.
LATE = "late"


@dataclass(frozen=True)
class Outcome:
    """One request. Times count from the beginning of its window."""

    characters: int
    #: When it was meant to be sent: what all latencies count from.
    intended_s: float
    sent_s: float
    fate: str
    status: int | None = None
    #: Absent where it never came.
    first_audio_s: float | None = None
    ended_s: float | None = None
    received_bytes: int = 0
    #: As the answer says it; None where it does not.
    retry_after: str | None = None

    def latency_s(self, measure: str) -> float:
        """Return how long `first_audio` or `total` took; infinite where that never came, or belongs to no whole answer."""
        moment_s = self.first_audio_s if measure == "first_audio" else self.ended_s
        # Whoever was left for being late in total may have had its first audio in time.
        counts = self.fate == ANSWERED or (self.fate == LATE and measure == "first_audio")
        return moment_s - self.intended_s if counts and moment_s is not None else math.inf

    @property
    def service_s(self) -> float:
        """From being sent to its last byte."""
        return math.inf if self.ended_s is None else self.ended_s - self.sent_s


def fates(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """Return how many requests met each fate."""
    return Counter(each.fate for each in outcomes)


def lost_share(outcomes: Sequence[Outcome]) -> float:
    """Return the share of requests that were not answered; all of them where there is none."""
    return 1.0 if not outcomes else sum(each.fate != ANSWERED for each in outcomes) / len(outcomes)


def percentile_s(outcomes: Sequence[Outcome], measure: str, percentile: float) -> float:
    """Return a percentile of a latency: the nearest rank, so that unanswered requests, which are infinite, can be counted."""
    if not outcomes:
        return math.inf
    return float(np.percentile([each.latency_s(measure) for each in outcomes], percentile, method="inverted_cdf"))


def interval_s(outcomes: Sequence[Outcome], measure: str, percentile: float) -> tuple[float, float]:
    """Return between which observed latencies the true percentile lies, with 95 % confidence.

    By order statistics: how many of n requests are below the percentile is binomial. Nothing
    is assumed of the distribution, but that requests are independent, which neighbours in a
    queue are not; so the interval is too narrow rather than too wide.
    """
    ordered = sorted(each.latency_s(measure) for each in outcomes)
    count, share = len(ordered), percentile / 100
    if not ordered:
        return 0.0, math.inf
    spread = 1.96 * math.sqrt(count * share * (1 - share))
    low, high = math.floor(count * share - spread), math.ceil(count * share + spread)
    return ordered[max(0, low - 1)], ordered[high] if high < count else math.inf


def answered(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return those that were answered whole."""
    return [each for each in outcomes if each.fate == ANSWERED]
