"""From the deadline of a synthesis that hangs to its dump, its worker's end and the successor, whatever it hangs in."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS

from .report import Figure, Report, Target, figure, progress
from .servers import Kind, Server, ours, started
from .texts import HELLO
from .voices import embedded_voice, write_config

_APPLICATION = "tests.support.hanging_voice:create()"
#: What each way to hang is called there, and what it is.
WAYS = {
    "hang_in_python": "in Python",
    "hang_in_a_library": "in a library",
    "hang_in_a_library_with_the_lock": "in a library, with the lock",
    "hang_asleep_with_the_lock": "asleep, with the lock",
}
_TIMES = 5
_WORKERS = 2
_STALL_S = 1.0
_DUMP = "Fatal Python error: Aborted"


@dataclass(frozen=True)
class Hang:
    """What followed one deadline, in seconds from it."""

    dumped_s: float
    ended_s: float
    #: The successor takes requests.
    ready_s: float


@dataclass(frozen=True)
class Round:
    """Some hangs of every way."""

    hangs: Mapping[str, tuple[Hang, ...]]
    #: Workers that ended and did not hang, and hangs that the server did not count.
    ended_besides: int
    uncounted: int

    def slowest(self, way: str, moment: str) -> float:
        """Return how long after the deadline that came, in the slowest hang of that way."""
        return max(float(getattr(each, moment)) for each in self.hangs[way])


def hang(rounds: int, scratch: Path) -> Report:
    """A synthesis that hangs: from its deadline to its dump, its end and its successor."""
    config_path = write_config(scratch, embedded_voice(scratch).model_path, _WORKERS, admission={"stall_s": _STALL_S})
    measured = [_round(number, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"The embedded voice, {_WORKERS} workers, admission.stall_s {_STALL_S:g}; each way to hang {_TIMES} times a round, one at a "
    "time, and of these the slowest. Seconds from the deadline.",
    "Dumped: what every thread did is in the log. Ended: the master has seen it go and counted it. Successor: it takes requests.",
)


def _round(number: int, config_path: Path, scratch: Path) -> Round:
    trigger, draw = scratch / "hang", random.Random(number)
    with started(_hanging(config_path, trigger), scratch / "hang.log") as server:
        server.await_ready()
        board = server.board()
        server.await_(lambda: len(list(board.working())) == _WORKERS)
        hangs = {way: tuple(_hang_once(server, board, trigger, way, draw) for _ in range(_TIMES)) for way in WAYS}
        endings = board.rows["endings"].sum(axis=0)
        wanted, stalled = _TIMES * len(WAYS), int(endings[ENDINGS.index("stalled")])
        measured = Round(hangs, int(endings.sum()) - stalled, wanted - stalled)
    slowest_s = max(measured.slowest(way, "dumped_s") for way in WAYS)
    progress(f"round {number}: dumped at most {slowest_s:.3f} s after the deadline")
    return measured


def _hanging(config_path: Path, trigger: Path) -> Kind:
    kind = ours(config_path)
    return replace(
        kind, command=lambda port: [*kind.command(port), _APPLICATION],
        environment={**kind.environment, "CHORUS_HANG_NOW": str(trigger)},
    )  # fmt: skip


def _hang_once(server: Server, board: Scoreboard, trigger: Path, way: str, draw: random.Random) -> Hang:
    # The master's turns begin anew with every signal: hangs are not to begin at the same moment of each.
    time.sleep(draw.random())
    dumps = _dumps(server)
    with _hanging_request(server, trigger, way):
        (slot,) = server.await_(lambda: _slots_at_work(board))
        pid, deadline_s = int(board.rows[slot]["pid"]), float(board.rows[slot]["stalls_s"])

        def after_s(has_come: Callable[[], bool]) -> float:
            server.await_(has_come)
            return time.monotonic() - deadline_s

        return Hang(
            dumped_s=after_s(lambda: _dumps(server) > dumps),
            ended_s=after_s(lambda: int(board.rows[slot]["pid"]) != pid),
            ready_s=after_s(lambda: len(list(board.working())) == _WORKERS),
        )


@contextmanager
def _hanging_request(server: Server, trigger: Path, way: str) -> Iterator[None]:
    """Have a request hang that way; its client finds the connection closed in the end."""
    trigger.write_text(way, encoding="utf-8")
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(server.speak, HELLO)
        server.await_(lambda: not trigger.exists())
        yield
        if request.exception() is None:
            raise server.child.failure("a request was answered that was to hang")


def _slots_at_work(board: Scoreboard) -> Sequence[int]:
    return tuple(slot for slot, row in enumerate(board.rows) if row["stalls_s"])


def _dumps(server: Server) -> int:
    return server.child.log.read_text(encoding="utf-8").count(_DUMP)


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        *(_slowest(rounds, way, "dumped", "dumped_s", Target("<=", 1.0)) for way in WAYS),
        *(_slowest(rounds, way, "ended", "ended_s") for way in WAYS),
        *(_slowest(rounds, way, "successor", "ready_s") for way in WAYS),
        figure("other workers that ended", "", rounds, lambda each: each.ended_besides, Target("<=", 0)),
        figure("hangs that were not counted", "", rounds, lambda each: each.uncounted, Target("<=", 0)),
    )


def _slowest(rounds: list[Round], way: str, what: str, moment: str, target: Target | None = None) -> Figure:
    return figure(f"{WAYS[way]}: {what}", "s", rounds, lambda each: each.slowest(way, moment), target)
