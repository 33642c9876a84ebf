"""A snapshot of the scoreboard, for /status, the page, `chorus top` and /metrics."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import (
    CUTS,
    ENDINGS,
    HISTOGRAMS,
    LEAKS,
    OUTCOMES,
    REFUSALS,
    ROLLOUTS,
    ROUTES,
    SAMPLED,
    STATUSES,
    State,
)


@dataclass(frozen=True)
class Worker:
    """A slot with a worker."""

    slot: int
    pid: int
    state: str
    #: Id of the revision that it serves.
    revision: str
    #: Number of this worker among the workers of its slot, from 1.
    generation: int
    age_s: float
    #: Voices that are open in it.
    voices: int
    connections: int
    #: Requests that have a turn or wait for one; that wait; that need a core now.
    active: int
    waiting: int
    speaking: int
    #: Answers that wait for their clients without a turn.
    parked: int
    #: Age of the oldest piece of audio in synthesis; None if there is none.
    speaking_for_s: float | None
    #: Time until the master counts the worker as stalled and ends it.
    stalls_in_s: float | None
    #: Moving average of the time that a request has its turn.
    service_s: float
    speeches: int
    audio_s: float
    #: Values of the watchdog's last sample.
    memory: dict[str, int]


@dataclass(frozen=True)
class Histogram:
    """Counts of values up to each bound, and above the last one."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """Return the bound below which that share of the values lies; None without values."""
        if not self.count:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), share * self.count))
        return self.bounds[min(place, len(self.bounds) - 1)]


@dataclass(frozen=True)
class Failure:
    """The last error of a slot."""

    slot: int
    at_s: float
    what: str


@dataclass(frozen=True)
class Rollout:
    """The last change of the revision."""

    #: `none`, `preparing`, `canary`, `rolling`, `returning`, or one of `layout.ROLLOUTS`.
    state: str
    #: Why it was refused or abandoned.
    reason: str | None
    #: Unix time of the state.
    since_s: float | None
    #: Id of the revision that is being rolled out.
    candidate: str | None
    #: How many ended in each way.
    totals: dict[str, int]


@dataclass(frozen=True)
class Totals:
    """Totals of all workers since the server started; they never fall."""

    forks: int
    #: By route and status.
    answers: dict[str, dict[int, int]]
    outcomes: dict[str, int]
    refusals: dict[str, int]
    cuts: dict[str, int]
    endings: dict[str, int]
    leaks: dict[str, int]
    audio_s: float
    characters: int
    #: Requests whose proxy sent an impossible start time.
    distrusted_starts: int
    #: Texts that ended a reader process.
    reader_ends: int
    histograms: dict[str, Histogram]


@dataclass(frozen=True)
class Snapshot:
    """A whole server."""

    master: int
    up_s: float
    cores: int
    #: Requests that each worker serves at a time, and requests that all workers together may queue.
    places: int
    queue: int
    #: Id of the revision that workers are forked from.
    revision: str
    rollout: Rollout
    workers: tuple[Worker, ...]
    totals: Totals
    failures: tuple[Failure, ...]

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return sum(worker.waiting for worker in self.workers)


def snapshot(board: Scoreboard) -> Snapshot:
    """Read the whole board."""
    header, rows, now_s = board.header, board.rows.copy(), time.monotonic()
    workers = [_worker(slot, row, now_s) for slot, row in enumerate(rows) if row["state"] != State.FREE]
    failures = [_failure(slot, row) for slot, row in enumerate(rows) if row["error_at_s"]]
    return Snapshot(
        int(header["master"]), time.time() - float(header["began_at_s"]), int(header["cores"]), int(header["places"]),
        int(header["queue"]), format_revision(header["revision"]), _rollout(header), tuple(workers), _totals(rows),
        tuple(sorted(failures, key=lambda each: -each.at_s)),
    )  # fmt: skip


def format_revision(number: int) -> str:
    """Return the id of a revision: 12 hexadecimal digits."""
    return f"{int(number):012x}"


def _rollout(header: Any) -> Rollout:
    return Rollout(
        state=header["rollout"].decode() or "none",
        reason=header["rollout_reason"].decode("utf-8", "ignore") or None,
        since_s=float(header["rollout_at_s"]) or None,
        candidate=format_revision(header["candidate"]) if header["candidate"] else None,
        totals=_named(ROLLOUTS, header["rollouts"]),
    )


def _worker(slot: int, row: Any, now_s: float) -> Worker:
    since_s, stalls_s = float(row["request_since_s"]), float(row["stalls_s"])
    return Worker(
        slot=slot,
        pid=int(row["pid"]),
        state=State(int(row["state"])).name.lower(),
        revision=format_revision(row["revision"]),
        generation=int(row["forks"]),
        age_s=time.time() - float(row["began_at_s"]),
        speaking_for_s=now_s - since_s if since_s else None,
        stalls_in_s=stalls_s - now_s if stalls_s else None,
        service_s=float(row["service_s"]),
        speeches=int(row["outcomes"].sum()),
        audio_s=float(row["audio_s"]),
        memory={name: int(row[name]) for name in SAMPLED if row[name]},
        **{name: int(row[name]) for name in ("voices", "connections", "active", "waiting", "speaking", "parked")},
    )


def _failure(slot: int, row: Any) -> Failure:
    return Failure(slot, float(row["error_at_s"]), row["error"].decode("utf-8", "replace"))


def _totals(rows: Any) -> Totals:
    answers = rows["answers"].sum(axis=0)
    return Totals(
        forks=int(rows["forks"].sum()),
        answers={route: _named(STATUSES, counts) for route, counts in zip(ROUTES, answers, strict=True)},
        outcomes=_named(OUTCOMES, rows["outcomes"].sum(axis=0)),
        refusals=_named(REFUSALS, rows["refusals"].sum(axis=0)),
        cuts=_named(CUTS, rows["cuts"].sum(axis=0)),
        endings=_named(ENDINGS, rows["endings"].sum(axis=0)),
        leaks=_named(LEAKS, rows["leaks"].sum(axis=0)),
        audio_s=float(rows["audio_s"].sum()),
        characters=int(rows["characters"].sum()),
        distrusted_starts=int(rows["distrusted_starts"].sum()),
        reader_ends=int(rows["reader_ends"].sum()),
        histograms={name: _histogram(rows, name, bounds) for name, bounds in HISTOGRAMS.items()},
    )


def _histogram(rows: Any, name: str, bounds: tuple[float, ...]) -> Histogram:
    counts = tuple(int(count) for count in rows[name].sum(axis=0))
    return Histogram(bounds, counts, float(rows[f"{name}_sum"].sum()))


def _named(names: tuple[Any, ...], counts: Any) -> dict[Any, int]:
    return {name: int(count) for name, count in zip(names, counts, strict=True)}
