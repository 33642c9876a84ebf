"""Audio formats: the core time that each costs beside speaking, and the cost of importing its libraries.

As a program, `python -m ops.benchmarks.formats CONFIG` speaks a text, then encodes those samples in each format, whole and
streamed, in the windows they were spoken in, and prints one line of JSON. One thread; core time of all threads.
"""

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial

from app.codecs.registry import FORMATS, Encoder, open_encoder
from app.system import heap
from app.system.processes import memory_of
from loader.engines.base import Samples
from loader.voices.voice import SpeechOptions

from .report import Measure, Run, Value
from .servers import ONE_THREAD, program
from .voices import embedded_voice, long_text, open_voice

#: About half a minute.
_CHARACTERS = 500
#: Core time is the median of these, after one that loads the codec.
_REPEATS = 3
_UNCOMPRESSED = ("wav", "pcm")
#: What OpenAI's clients expect of bare PCM.
_RESAMPLED = ("pcm", 24_000)
#: Libraries, by the module that a worker imports for each.
_LIBRARIES = {"PyAV": "app.codecs.ffmpeg", "soxr": "soxr"}


def formats(run: Run) -> Measure:
    """Core time of every audio format, whole and streamed, and the import of its libraries.

    The embedded voice at 22.05 kHz, half a minute in the windows it was spoken in.
    Pairing: none; every round encodes the same samples in all formats, in one process.
    Figures: ms/s, milliseconds of core time for a second of audio; kbit/s; MB of pages that no other process shares: of an
    encoder in the middle of a speech, of a library. Each is imported once in a worker's life: soxr for another rate than the
    voice's, PyAV for anything but WAV and PCM, which also gives a worker own copies of some 3 MB that it shared until then.
    Target: none.
    """
    config_path = embedded_voice(run).write_config(run.scratch, workers=1)

    def measure(_number: int) -> Iterable[Value]:
        with program(run.scratch, "formats", config_path, environment=ONE_THREAD) as encoding:
            found = json.loads(encoding.read())
        for name, each in found["imports"].items():
            yield Value(f"{name}, import", "ms", each["ms"])
            yield Value(f"{name}, import, own memory", "MB", each["own_mb"])
        compressed = {name: cost for name, cost in found["costs"].items() if not name.startswith(_UNCOMPRESSED)}
        for name, cost in found["costs"].items():
            yield Value(name, "ms/s", cost["core_ms_per_s"])
        for name, cost in compressed.items():
            yield Value(f"{name}, size", "kbit/s", cost["kbit_per_s"])
        for name, cost in compressed.items():
            if name.endswith("streamed"):
                yield Value(f"{name}, own memory of an encoder", "MB", cost["own_mb"])

    return measure


def _encode_all(config_path: str) -> None:
    """Measure every format in this process, and print one line of JSON."""
    voice = open_voice(config_path)
    windows = list(voice.speak(long_text(_CHARACTERS), SpeechOptions(seed=0, soon=True)))
    imports = {name: _import(module) for name, module in _LIBRARIES.items()}
    rate_hz, costs = voice.sample_rate_hz, {}
    for name, each_hz in [*((name, rate_hz) for name in FORMATS), _RESAMPLED]:
        for streamed in (False, True):
            label = f"{name}{'' if each_hz == rate_hz else ' at 24 kHz'}, {'streamed' if streamed else 'whole'}"
            costs[label] = _cost(partial(open_encoder, name, rate_hz, each_hz, streamed), windows, rate_hz)
    print(json.dumps({"imports": imports, "costs": costs}), flush=True)


def _import(module: str) -> dict[str, float]:
    before_mb, started_s = _own_mb(), time.process_time()
    importlib.import_module(module)
    return {"ms": 1000 * (time.process_time() - started_s), "own_mb": _own_mb() - before_mb}


def _cost(open_one: Callable[[], Encoder], windows: Sequence[Samples], voice_rate_hz: int) -> dict[str, float]:
    def encode() -> tuple[float, int]:
        """Return core seconds and bytes."""
        with closing(open_one()) as encoder:
            started_s = time.process_time()
            size = sum(len(encoder.encode(window)) for window in windows) + len(encoder.finish()) + len(encoder.head())
        return time.process_time() - started_s, size

    audio_s = sum(map(len, windows)) / voice_rate_hz
    times_s, sizes = zip(*(encode() for _repeat in range(1 + _REPEATS)), strict=True)
    before_mb = _own_mb()
    with closing(open_one()) as encoder:
        encoder.encode(windows[0])
        own_mb = _own_mb() - before_mb
    core_ms = 1000 * statistics.median(times_s[1:])
    return {"core_ms_per_s": core_ms / audio_s, "kbit_per_s": 8 * sizes[0] / 1000 / audio_s, "own_mb": own_mb}


def _own_mb() -> float:
    heap.return_free_memory()
    return memory_of(os.getpid()).uss_bytes / 1e6


if __name__ == "__main__":
    _encode_all(sys.argv[1])
