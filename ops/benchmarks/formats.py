"""What each audio format costs a worker beside speaking, and what its libraries cost when they are first needed."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .encoding import LIBRARIES, RESAMPLED, UNCOMPRESSED, Cost, Import
from .processes import conversing, hear
from .report import Figure, Report, figure, progress
from .sides import ONE_THREAD
from .voices import embedded_voice, write_config


@dataclass(frozen=True)
class Round:
    """Everything once, in a process of its own."""

    #: By the library's name.
    imports: dict[str, Import]
    #: The same ways in the same order every round.
    costs: tuple[Cost, ...]


def formats(rounds: int, scratch: Path) -> Report:
    """Core time of every audio format, whole and streamed, and its libraries' import."""
    voice = embedded_voice(scratch)
    config_path = write_config(scratch, voice.model_path, workers=1)
    measured = [_round(number, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    "The embedded voice at 22.05 kHz, half a minute in the windows it was spoken in; ms/s: milliseconds of core time for a "
    "second of audio.",
    "Own memory: pages that no other process shares. Of an encoder: in the middle of a speech, given back when it is closed. "
    "A worker that imports PyAV after the fork also gets own copies of pages it shared until then, some 3 MB.",
    "Each library is imported once in a worker's life, when a request first needs it: soxr for another rate than the "
    "voice's, PyAV for anything but WAV and PCM.",
)


def _round(number: int, config_path: Path, scratch: Path) -> Round:
    command = [sys.executable, "-m", "ops.benchmarks.encoding", str(config_path)]
    with conversing(command, scratch / "encoding.log", ONE_THREAD) as child:
        found = json.loads(hear(child))
    progress(f"round {number}: {found['audio_s']:.0f} s of audio in every format")
    imports = {name: Import(**each) for name, each in found["imports"].items()}
    return Round(imports, tuple(Cost(**each) for each in found["costs"]))


def _figures(rounds: Sequence[Round]) -> tuple[Figure, ...]:
    ways = range(len(rounds[0].costs))
    compressed = [way for way in ways if rounds[0].costs[way].audio_format not in UNCOMPRESSED]
    streamed = [way for way in compressed if rounds[0].costs[way].streamed]
    return (
        *(each for name in LIBRARIES for each in _of_library(name, rounds)),
        *(_of_way("", "ms/s", way, rounds, lambda cost: cost.core_ms_per_s) for way in ways),
        *(_of_way(", size", "kbit/s", way, rounds, lambda cost: cost.kbit_per_s) for way in compressed),
        *(_of_way(", own memory of an encoder", "MB", way, rounds, lambda cost: cost.own_mb) for way in streamed),
    )


def _of_library(name: str, rounds: Sequence[Round]) -> tuple[Figure, ...]:
    return (
        figure(f"{name}, import", "ms", rounds, lambda each: each.imports[name].ms),
        figure(f"{name}, import, own memory", "MB", rounds, lambda each: each.imports[name].own_mb),
    )


def _of_way(what: str, unit: str, way: int, rounds: Sequence[Round], value: Callable[[Cost], float]) -> Figure:
    cost = rounds[0].costs[way]
    rate = " at 24 kHz" if (cost.audio_format, cost.sample_rate_hz) == RESAMPLED else ""
    name = f"{cost.audio_format}{rate}, {'streamed' if cost.streamed else 'whole'}{what}"
    return figure(name, unit, rounds, lambda each: value(each.costs[way]))
