"""The canary: the first worker of a new revision, compared with the others by what it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import RolloutError
from app.scoreboard.board import Scoreboard, Slot
from app.scoreboard.layout import OUTCOMES, STATUSES
from loader.config.settings import RolloutSettings

#: Fewer speeches than the first say nothing about speed, fewer than the second do not decide; nor does one failure: a client may
#: send a bad text.
_FEW_SPEECHES, _MIN_SPEECHES, _MIN_FAILURES = 3, 10, 2
#: A canary that is slow, or failed once, is watched this many times as long before it is judged.
_MAX_WINDOWS = 3


@dataclass(frozen=True)
class Tally:
    """What workers have served since some moment."""

    speeches: int = 0
    #: Speeches that failed, and answers with status 500 without one.
    failures: int = 0
    #: Sum of the real-time factors of speeches that have one, and their number.
    factors: float = 0.0
    timed: int = 0

    @classmethod
    def of(cls, row: Any) -> "Tally":
        """Return the totals of a slot."""
        failed = int(row["outcomes"][OUTCOMES.index("failed")])
        broken = int(row["answers"][:, STATUSES.index(500)].sum())
        return cls(int(row["outcomes"].sum()), max(failed, broken), float(row["rtf_sum"]), int(row["rtf"].sum()))

    def since(self, earlier: "Tally") -> "Tally":
        """Return the difference."""
        return Tally(
            self.speeches - earlier.speeches, self.failures - earlier.failures,
            self.factors - earlier.factors, self.timed - earlier.timed,
        )  # fmt: skip

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum."""
        return Tally(
            self.speeches + other.speeches, self.failures + other.failures,
            self.factors + other.factors, self.timed + other.timed,
        )  # fmt: skip


def totals_of(board: Scoreboard) -> dict[int, Tally]:
    """Return the totals of every slot."""
    return {number: Tally.of(row) for number, row in enumerate(board.rows)}


def require_as_good(canary: Tally, others: Tally, bounds: RolloutSettings, is_last: bool) -> bool:
    """Return whether the canary is as good as the others; False asks for a longer look, unless it `is_last`.

    Raises:
        RolloutError: it fails more often, or is slower.
    """
    rate, usual = (each.failures / max(1, each.speeches) for each in (canary, others))
    if canary.failures >= _MIN_FAILURES and rate > 2 * usual:
        raise RolloutError(
            f"canary: {canary.failures} of its {canary.speeches} requests failed, "
            f"and {others.failures} of {others.speeches} of the others"
        )
    timed = min(canary.timed, others.timed)
    slowdown = (canary.factors / canary.timed) / max(others.factors / others.timed, 1e-9) if timed >= _FEW_SPEECHES else 0.0
    if slowdown > bounds.slowdown and is_last and timed >= _MIN_SPEECHES:
        raise RolloutError(
            f"canary: its real-time factor is {slowdown:.2f} times that of the others; at most {bounds.slowdown:g} times"
        )
    return is_last or (slowdown <= bounds.slowdown and not canary.failures)


class CanaryWatch:
    """Watches the canary from the moment that it is ready. Runs in the master."""

    def __init__(self, board: Scoreboard, slot: Slot, bounds: RolloutSettings, now_s: float) -> None:
        """Watch the worker of `slot` from now on, by the monotonic clock."""
        self._board, self._slot, self._bounds, self._began_s = board, slot, bounds, now_s
        self._before: Mapping[int, Tally] = totals_of(board)

    def is_passed(self, now_s: float) -> bool:
        """Return whether it has been watched for long enough and is as good as the others.

        Raises:
            RolloutError: it is not.
        """
        windows = int((now_s - self._began_s) / self._bounds.canary_s) if self._bounds.canary_s else _MAX_WINDOWS
        canary, others = self.served()
        is_good = require_as_good(canary, others, self._bounds, windows >= _MAX_WINDOWS)
        return windows >= 1 and is_good

    def served(self) -> tuple[Tally, Tally]:
        """Return what the canary and what all others have served meanwhile."""
        differences = {number: now.since(self._before.get(number, Tally())) for number, now in totals_of(self._board).items()}
        canary = Tally() if self._slot.number is None else differences.pop(self._slot.number, Tally())
        others = Tally()
        for each in differences.values():
            others = others.plus(each)
        return canary, others
