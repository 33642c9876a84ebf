"""From nothing to ready, and to having spoken: this server against a fresh native process."""

import sys
from dataclasses import dataclass
from pathlib import Path

from .processes import conversing, hear, say
from .report import Figure, Report, Target, figure, progress
from .servers import ours, started
from .texts import HELLO
from .voices import large_voice, write_config

_WORKERS = 4


@dataclass(frozen=True)
class Round:
    """Both sides once, in seconds from exec."""

    ready_s: float
    spoken_s: float
    native_spoken_s: float


def coldstart(rounds: int, scratch: Path) -> Report:
    """Exec to ready and to spoken, against a native process that has spoken."""
    voice = large_voice(scratch)
    config_path = write_config(scratch, voice.model_path, _WORKERS)
    progress("one native process that does not count, so that no side reads from the disk")
    _native_s(voice.release, scratch)
    measured = [_round(number, config_path, voice.release, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"A voice of LJSpeech's size, baked before; page cache warm; ours with {_WORKERS} workers.",
    f"Spoken: the last byte of {HELLO!r} as a WAV file is here; for native, the samples of it are.",
)


def _round(number: int, config_path: Path, release: Path, scratch: Path) -> Round:
    ready_s, spoken_s = _ours_s(config_path, scratch)
    native_spoken_s = _native_s(release, scratch)
    progress(f"round {number}: ready {ready_s:.2f} s, spoken {spoken_s:.2f} s; native spoken {native_spoken_s:.2f} s")
    return Round(ready_s, spoken_s, native_spoken_s)


def _ours_s(config_path: Path, scratch: Path) -> tuple[float, float]:
    with started(ours(config_path), scratch / "ours.log") as server:
        ready_s = server.await_ready()
        server.speak(HELLO)
        return ready_s, server.child.since_start_s()


def _native_s(release: Path, scratch: Path) -> float:
    with conversing([sys.executable, "-m", "ops.benchmarks.native", str(release)], scratch / "native.log") as child:
        say(child, [HELLO])
        hear(child)
        return child.since_start_s()


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        figure("ours, exec to ready", "s", rounds, lambda each: each.ready_s, Target("<", 1.0)),
        figure("ours, exec to spoken", "s", rounds, lambda each: each.spoken_s),
        figure("native, exec to spoken", "s", rounds, lambda each: each.native_spoken_s),
        figure(
            "native spoken / ours ready", "x", rounds, lambda each: each.native_spoken_s / each.ready_s, Target(">=", 12)
        ),
        figure("native spoken / ours spoken", "x", rounds, lambda each: each.native_spoken_s / each.spoken_s),
    )
