"""Everything that was measured, as it was measured. What it means is in `app.tuning.findings`, and can be found out again."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.outcome import Outcome
from app.tuning.setting import Setting

#: What a window was for, in the order in which they are measured.
SERVICE, SWEEP, SCREEN, SEARCH, CONFIRM = "service", "sweep", "screen", "search", "confirm"


@dataclass(frozen=True)
class Window:
    """One server under one load for a while."""

    stage: str
    setting: Setting
    #: Since the measuring began.
    started_s: float
    #: For how long requests were sent.
    for_s: float
    #: Of an open loop; None in a closed one.
    rate_hz: float | None
    #: Of a closed loop; None in an open one.
    clients: int | None
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Memory:
    """Master and workers at one moment."""

    #: All of them together: what the machine would have back.
    pss_bytes: int
    #: Of each worker: pages that it shares with nobody.
    worker_uss_bytes: tuple[int, ...]

    @property
    def shared_bytes(self) -> int:
        """What is there once, however many workers there are."""
        return max(0, self.pss_bytes - sum(self.worker_uss_bytes))


@dataclass(frozen=True)
class MemoryReading:
    """The memory of a server at some point of the procedure."""

    #: `idle`, `mix` (after it), `longest` (highest while it was spoken), `load` (highest under as many clients as it takes).
    moment: str
    setting: Setting
    memory: Memory
    #: Of the longest text, where there was one.
    characters: int | None = None


class Journal:
    """Grows while measuring, and is what is left of it when that is interrupted."""

    def __init__(self) -> None:
        self._windows: list[Window] = []
        self._memory: list[MemoryReading] = []
        self._remarks: list[str] = []

    @property
    def windows(self) -> Sequence[Window]:
        """All windows, in the order in which they ended."""
        return tuple(self._windows)

    @property
    def memory(self) -> Sequence[MemoryReading]:
        """All readings, in order."""
        return tuple(self._memory)

    @property
    def remarks(self) -> Sequence[str]:
        """What a reader of the figures has to know."""
        return tuple(self._remarks)

    def add(self, entry: Window | MemoryReading | str) -> None:
        """Keep a window, a reading or a remark."""
        if isinstance(entry, Window):
            self._windows.append(entry)
        elif isinstance(entry, MemoryReading):
            self._memory.append(entry)
        elif entry not in self._remarks:
            self._remarks.append(entry)

    def of(self, stage: str, setting: Setting | None = None) -> list[Window]:
        """Return the windows of a stage, perhaps of one setting only."""
        return [each for each in self._windows if each.stage == stage and setting in (None, each.setting)]
