"""From a worker's violent death to its successor, forked from the master, and to what that says first."""

import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.scoreboard.board import Scoreboard

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
class Kill:
    """What followed one kill, in milliseconds."""

    forked_ms: float
    ready_ms: float
    #: What the new worker's first request took, and the same request of an old one just after it.
    first_ms: float
    old_ms: float


@dataclass(frozen=True)
class Round:
    """Several kills."""

    kills: tuple[Kill, ...]

    def median(self, of: str) -> float:
        """Return the median of a field of the kills."""
        return statistics.median(float(getattr(each, of)) for each in self.kills)

    @property
    def slowest_ms(self) -> float:
        """From the kill to ready, where that took longest."""
        return max(each.ready_ms for each in self.kills)

    @property
    def first_to_old(self) -> float:
        """The median, over the kills, of a new worker's first request over an old one's."""
        return statistics.median(each.first_ms / each.old_ms for each in self.kills)


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
        f"round {number}: ready after {measured.median('ready_ms'):.1f} ms, at most {measured.slowest_ms:.1f}; "
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
    first_ms = _spoken_by(successor, server)
    return Kill((forked_s - killed_s) * 1000, (ready_s - killed_s) * 1000, first_ms, _spoken_by(old, server))


def _ready(board: Scoreboard) -> set[int]:
    return {int(row["pid"]) for row in board.working()}


def _spoken_by(worker: int, server: Server) -> float:
    """Have one worker speak the text, and return the milliseconds that it took."""
    with _alone(worker, server):
        began_s = time.perf_counter()
        server.speak(_TEXT)
        return (time.perf_counter() - began_s) * 1000


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
        figure("kill to forked", "ms", rounds, lambda each: each.median("forked_ms")),
        figure("kill to ready", "ms", rounds, lambda each: each.median("ready_ms")),
        figure("kill to ready, slowest", "ms", rounds, lambda each: each.slowest_ms),
        figure("first request of a new worker", "ms", rounds, lambda each: each.median("first_ms")),
        figure("the same of an old one", "ms", rounds, lambda each: each.median("old_ms")),
        figure("first of a new / an old worker's", "x", rounds, lambda each: each.first_to_old, Target("<=", 1.2)),
    )
