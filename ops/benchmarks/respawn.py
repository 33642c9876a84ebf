"""From a worker's violent death to its successor, forked from the master, and to what that says first."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.scoreboard.board import Scoreboard

from .processes import core_s
from .report import Figure, Report, Target, figure, progress
from .servers import Server, ours, started
from .texts import BY_WORDS
from .voices import large_voice, write_config

_WORKERS = 4
_KILLS = 10
#: The shortest text that is measured: what a first request costs more is the largest share of it.
_TEXT = BY_WORDS[5]
#: gunicorn's master sleeps up to 0.1 s after every fork, and a worker that dies meanwhile waits for that; a worker gives memory
#: back a quarter of a second after it has spoken.
_REST_S = 0.5


@dataclass(frozen=True)
class Spoken:
    """What one request took, by the clock and of its worker's core time, which the kernel counts in steps of 10 ms."""

    clock_ms: float
    core_ms: float


@dataclass(frozen=True)
class Kill:
    """What followed one kill."""

    forked_ms: float
    ready_ms: float
    #: The new worker's first request, and the same request of an old one just after it.
    first: Spoken
    old: Spoken


@dataclass(frozen=True)
class Round:
    """Several kills."""

    kills: tuple[Kill, ...]

    def median(self, of: Callable[[Kill], float]) -> float:
        """Return the median of something of the kills."""
        return statistics.median(map(of, self.kills))

    @property
    def slowest_ms(self) -> float:
        """From the kill to ready, where that took longest."""
        return max(each.ready_ms for each in self.kills)

    @property
    def first_to_old(self) -> float:
        """A new worker's first request over an old one's."""
        return self.median(lambda each: each.first.clock_ms / each.old.clock_ms)

    @property
    def first_to_old_by_core(self) -> float:
        """The same by core time."""
        return self.median(lambda each: each.first.core_ms / each.old.core_ms)


def respawn(rounds: int, scratch: Path) -> Report:
    """Kill -9 of a worker to a successor that accepts requests, and to the first of them."""
    voice = large_voice(scratch)
    config_path = write_config(scratch, voice.model_path, _WORKERS)
    measured = [_round(number, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"A voice of LJSpeech's size, {_WORKERS} workers, {_KILLS} kills a round, one at a time; medians of a round.",
    "Forked: the successor is there. Ready: it has said so on the scoreboard, and listens.",
    f"First request: {len(_TEXT.split())} words, of the new worker at once and of an old one after it; the others are stopped "
    "meanwhile (SIGSTOP), and are idle.",
)


def _round(number: int, config_path: Path, scratch: Path) -> Round:
    with started(ours(config_path), scratch / "respawn.log") as server:
        server.await_ready()
        board = server.board()
        server.await_(lambda: len(_ready(board)) == _WORKERS)
        for worker in _ready(board):
            _spoken_by(worker, server)
        measured = Round(tuple(_kill_one(server, board) for _kill in range(_KILLS)))
    progress(
        f"round {number}: ready after {measured.median(lambda each: each.ready_ms):.1f} ms, at most {measured.slowest_ms:.1f}; "
        f"first request {measured.first_to_old:.2f} of an old worker's"
    )
    return measured


def _kill_one(server: Server, board: Scoreboard) -> Kill:
    time.sleep(_REST_S)
    before = _ready(board)
    killed, old, *_others = sorted(before)
    killed_s = time.perf_counter()
    os.kill(killed, signal.SIGKILL)
    (successor,) = server.await_(lambda: set(server.workers()) - before)
    forked_s = time.perf_counter()
    server.await_(lambda: successor in _ready(board))
    ready_s = time.perf_counter()
    first = _spoken_by(successor, server)
    return Kill((forked_s - killed_s) * 1000, (ready_s - killed_s) * 1000, first, _spoken_by(old, server))


def _ready(board: Scoreboard) -> set[int]:
    return {int(row["pid"]) for row in board.working()}


def _spoken_by(worker: int, server: Server) -> Spoken:
    """Have one worker speak the text."""
    with _alone(worker, server):
        before_s, began_s = core_s(worker), time.perf_counter()
        server.speak(_TEXT)
        return Spoken((time.perf_counter() - began_s) * 1000, (core_s(worker) - before_s) * 1000)


@contextmanager
def _alone(worker: int, server: Server) -> Iterator[None]:
    """Stop all other workers meanwhile, so that this one is it who answers."""
    others = set(server.workers()) - {worker}
    try:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        _median("kill to forked", rounds, lambda each: each.forked_ms),
        _median("kill to ready", rounds, lambda each: each.ready_ms),
        figure("kill to ready, slowest", "ms", rounds, lambda each: each.slowest_ms),
        _median("first request of a new worker", rounds, lambda each: each.first.clock_ms),
        _median("the same of an old one", rounds, lambda each: each.old.clock_ms),
        figure("first of a new / an old worker's", "x", rounds, lambda each: each.first_to_old, Target("<=", 1.2)),
        figure("the same by core time", "x", rounds, lambda each: each.first_to_old_by_core),
    )


def _median(name: str, rounds: list[Round], of: Callable[[Kill], float]) -> Figure:
    return figure(name, "ms", rounds, lambda each: each.median(of))
