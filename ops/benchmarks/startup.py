"""Start, crash and hang: how soon a server is ready, and how soon a killed or hung worker has a successor."""

import os
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS

from .faults import HANGS
from .report import Report, Run, Value, progress
from .servers import Server, core_s, native_speaker, ours, running, started
from .voices import BY_WORDS, HELLO, embedded_voice, large_voice, write_config

_WORKERS = 4
#: The shortest text that is measured: what a first request costs more is the largest share of it.
_TEXT = BY_WORDS[5]
#: gunicorn's master sleeps up to 0.1 s after every fork, and a worker that dies meanwhile waits for that; a worker returns
#: free memory a quarter of a second after it has spoken.
_REST_S = 0.5
_HANG_WORKERS = 2
_STALL_S = 1.0
_DUMP = "Fatal Python error: Aborted"


def coldstart(run: Run) -> Report:
    """Exec to ready and to the first answer, against a native process.

    Pairing: in each round ours starts, then one native process loads the same voice by Coqui's API.
    Figures: seconds from exec; their ratios. Targets: ready < 1 s; native spoken / ours ready >= 12.
    """
    voice = large_voice(run.scratch)
    config_path = write_config(run.scratch, voice.model_path, _WORKERS)
    progress("one native process that does not count, so that no side reads from the disk")
    native_spoken_s(voice.release, run.scratch)

    def measure(_number: int) -> Iterable[Value]:
        ready_s, spoken_s = ours_start_s(config_path, run.scratch)
        native_s = native_spoken_s(voice.release, run.scratch)
        yield Value("ours, exec to ready", "s", ready_s, "< 1")
        yield Value("ours, exec to spoken", "s", spoken_s)
        yield Value("native, exec to spoken", "s", native_s)
        yield Value("native spoken / ours ready", "x", native_s / ready_s, ">= 12")
        yield Value("native spoken / ours spoken", "x", native_s / spoken_s)

    return run.report(
        measure,
        f"A voice of LJSpeech's size, baked before; page cache warm; ours with {_WORKERS} workers.",
        f"Spoken: the last byte of {HELLO!r} as a WAV file has arrived; for native, its samples are computed.",
    )


def ours_start_s(config_path: Path, scratch: Path, environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Return the seconds from exec to ready and to a spoken text."""
    with started(ours(config_path, environment=environment), scratch / "ours.log") as server:
        ready_s = server.await_ready()
        server.speak(HELLO)
        return ready_s, server.since_start_s()


def native_spoken_s(release: Path, scratch: Path, environment: Mapping[str, str] | None = None) -> float:
    """Return the seconds from exec to a spoken text, by Coqui's API."""
    with running(native_speaker(release), scratch / "native.log", environment) as native:
        native.ask(HELLO)
        return native.since_start_s()


def respawn(run: Run) -> Report:
    """Kill -9 of a worker to a ready successor, and its first request.

    Pairing: the successor's first request and the same request to an old worker, kill by kill.
    Figures: milliseconds from the kill; first request of a new / an old worker. Target: <= 1.2.
    """
    kills = run.size(10, 2)
    config_path = write_config(run.scratch, large_voice(run.scratch).model_path, _WORKERS)

    def measure(_number: int) -> Iterable[Value]:
        with started(ours(config_path), run.scratch / "respawn.log") as server:
            for worker in server.await_workers(_WORKERS):
                _speak_by(worker, server)
            return kill_values([_kill_one(server, server.board()) for _ in range(kills)])

    return run.report(
        measure,
        f"A voice of LJSpeech's size, {_WORKERS} workers, {kills} kills a round, one at a time; medians of a round.",
        "Forked: the successor exists. Ready: it says so on the scoreboard, and listens.",
        f"First request: {len(_TEXT.split())} words, to the new worker at once and to an old one after it; the others are "
        "stopped meanwhile (SIGSTOP), and idle.",
    )


def kill_values(kills: Iterable[tuple[float, float, tuple[float, float], tuple[float, float]]]) -> Iterable[Value]:
    """Return the values of kills: milliseconds to forked and to ready, and clock and core time of both requests."""
    forked_ms, ready_ms, first, old = zip(*kills, strict=True)
    ratios = [[new[by] / before[by] for new, before in zip(first, old, strict=True)] for by in (0, 1)]
    yield Value("kill to forked", "ms", statistics.median(forked_ms))
    yield Value("kill to ready", "ms", statistics.median(ready_ms))
    yield Value("kill to ready, slowest", "ms", max(ready_ms))
    yield Value("first request of a new worker", "ms", statistics.median(each[0] for each in first))
    yield Value("the same of an old one", "ms", statistics.median(each[0] for each in old))
    yield Value("first of a new / an old worker's", "x", statistics.median(ratios[0]), "<= 1.2")
    yield Value("the same by core time", "x", statistics.median(ratios[1]))


def _kill_one(server: Server, board: Scoreboard) -> tuple[float, float, tuple[float, float], tuple[float, float]]:
    time.sleep(_REST_S)
    before = _ready(board)
    killed, old, *_others = sorted(before)
    killed_s = time.perf_counter()
    os.kill(killed, signal.SIGKILL)
    (successor,) = server.await_(lambda: set(server.launched.worker_pids()) - before)
    forked_s = time.perf_counter()
    server.await_(lambda: successor in _ready(board))
    ready_s = time.perf_counter()
    first = _speak_by(successor, server)
    return (forked_s - killed_s) * 1000, (ready_s - killed_s) * 1000, first, _speak_by(old, server)


def _ready(board: Scoreboard) -> set[int]:
    return {int(row["pid"]) for row in board.working()}


def _speak_by(worker: int, server: Server) -> tuple[float, float]:
    """Have one worker speak while all others are stopped; return milliseconds by the clock and of core time.

    The kernel counts core time in steps of 10 ms.
    """
    others = set(server.launched.worker_pids()) - {worker}
    try:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        before_s, began_s = core_s(worker), time.perf_counter()
        server.speak(_TEXT)
        return (time.perf_counter() - began_s) * 1000, (core_s(worker) - before_s) * 1000
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def hang(run: Run) -> Report:
    """A synthesis that hangs: from its deadline to its dump, its end and its successor.

    Pairing: none; each way to hang some times in a round, one at a time, and of these the slowest.
    Figures: seconds from the deadline. Target: dumped <= 1 s, no other worker ends.
    """
    times, trigger, admission = run.size(5, 1), run.scratch / "hang", {"stall_s": _STALL_S}
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, _HANG_WORKERS, admission=admission)
    kind = ours(config_path, "ops.benchmarks.faults:hanging_voice()", environment={"CHORUS_HANG_NOW": str(trigger)})

    def measure(number: int) -> Iterable[Value]:
        draw = random.Random(number)
        with started(kind, run.scratch / "hang.log") as server:
            server.await_workers(_HANG_WORKERS)
            board = server.board()
            hangs = {way: [_hang_once(server, board, trigger, way, draw) for _ in range(times)] for way in HANGS}
            endings = board.rows["endings"].sum(axis=0)
        stalled = int(endings[ENDINGS.index("stalled")])
        for moment, (what, target) in enumerate((("dumped", "<= 1"), ("ended", ""), ("successor", ""))):
            for way, name in HANGS.items():
                yield Value(f"{name}: {what}", "s", max(each[moment] for each in hangs[way]), target)
        yield Value("other workers that ended", "", int(endings.sum()) - stalled, "<= 0")
        yield Value("hangs that were not counted", "", times * len(HANGS) - stalled, "<= 0")

    return run.report(
        measure,
        f"The embedded voice, {_HANG_WORKERS} workers, admission.stall_s {_STALL_S:g}; each way {times} times a round, one at a "
        "time, and of these the slowest. Seconds from the deadline.",
        "Dumped: the stacks of all threads are in the log. Ended: the master has counted it. Successor: it takes requests.",
    )


def _hang_once(server: Server, board: Scoreboard, trigger: Path, way: str, draw: random.Random) -> tuple[float, float, float]:
    """Return the seconds from the deadline to the dump, to the end of the worker, and to a ready successor."""
    # The master's intervals begin anew with every signal: hangs are not to begin at the same moment of each.
    time.sleep(draw.random())
    dumps = server.launched.read_log().count(_DUMP)
    with _hanging_request(server, trigger, way):
        (slot,) = server.await_(lambda: [slot for slot, row in enumerate(board.rows) if row["stalls_s"]])
        pid, deadline_s = int(board.rows[slot]["pid"]), float(board.rows[slot]["stalls_s"])

        def after_s(has_come: Callable[[], bool]) -> float:
            server.await_(has_come)
            return time.monotonic() - deadline_s

        return (
            after_s(lambda: server.launched.read_log().count(_DUMP) > dumps),
            after_s(lambda: int(board.rows[slot]["pid"]) != pid),
            after_s(lambda: len(_ready(board)) == _HANG_WORKERS),
        )


@contextmanager
def _hanging_request(server: Server, trigger: Path, way: str) -> Iterator[None]:
    """Have a request hang that way; its connection is closed in the end."""
    trigger.write_text(way, encoding="utf-8")
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(server.speak, HELLO)
        server.await_(lambda: not trigger.exists())
        yield
        if request.exception() is None:
            raise server.launched.failure("a request that should hang was answered")
