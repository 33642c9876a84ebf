"""From a worker's violent death to its successor, forked from the master."""

import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from .report import Figure, Report, figure, progress
from .servers import Server, ours, started
from .texts import HELLO
from .voices import large_voice, write_config

_Found = TypeVar("_Found")

_WORKERS = 4
_KILLS = 10
_POLL_S = 0.0005
#: gunicorn's master sleeps up to 0.1 s after every fork; a worker that dies meanwhile waits for that.
_MASTER_RESTS_S = 0.15


@dataclass(frozen=True)
class Round:
    """Several kills, in milliseconds from each."""

    forked_ms: tuple[float, ...]
    booted_ms: tuple[float, ...]


def respawn(rounds: int, scratch: Path) -> Report:
    """Kill -9 of a worker to a successor that accepts requests."""
    voice = large_voice(scratch)
    config_path = write_config(scratch, voice.model_path, _WORKERS)
    measured = [_round(number, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"A voice of LJSpeech's size, {_WORKERS} workers, {_KILLS} kills a round, one at a time; medians of a round.",
    "Forked: the successor is there. Booted: it has said so in the log and listens.",
)


def _round(number: int, config_path: Path, scratch: Path) -> Round:
    with started(ours(config_path), scratch / "respawn.log") as server:
        server.await_ready()
        server.speak(HELLO)
        _await(lambda: len(_workers(server)) == _WORKERS)
        kills = [_kill_one(server) for _kill in range(_KILLS)]
        server.speak(HELLO)
    measured = Round(tuple(forked for forked, _ in kills), tuple(booted for _, booted in kills))
    progress(f"round {number}: booted after {min(measured.booted_ms):.1f} to {max(measured.booted_ms):.1f} ms")
    return measured


def _kill_one(server: Server) -> tuple[float, float]:
    time.sleep(_MASTER_RESTS_S)
    before = _workers(server)
    killed_s = time.perf_counter()
    os.kill(min(before), signal.SIGKILL)
    (successor,) = _await(lambda: _workers(server) - before)
    forked_s = time.perf_counter()
    booting = f"Booting worker with pid: {successor}"
    _await(lambda: booting in server.child.log.read_text(encoding="utf-8"))
    return (forked_s - killed_s) * 1000, (time.perf_counter() - killed_s) * 1000


def _workers(server: Server) -> set[int]:
    return {child.pid for child in psutil.Process(server.child.pid).children()}


def _await(found: Callable[[], _Found]) -> _Found:
    while not (value := found()):
        time.sleep(_POLL_S)
    return value


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        figure("kill to forked", "ms", rounds, lambda each: statistics.median(each.forked_ms)),
        figure("kill to booted", "ms", rounds, lambda each: statistics.median(each.booted_ms)),
        figure("kill to booted, slowest", "ms", rounds, lambda each: max(each.booted_ms)),
    )
