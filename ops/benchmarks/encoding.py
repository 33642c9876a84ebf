"""Every audio format by itself: `python -m ops.benchmarks.encoding CONFIG`.

Speaks a text, then encodes those samples in each format, whole and streamed, in the
windows they were spoken in, and prints one line of JSON: what importing the libraries
took, and `Cost` of every way. One thread; core time, of all threads there are.
"""

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from app.codecs.registry import FORMATS, Encoder, open_encoder
from app.system import heap
from loader.config.settings import load_settings
from loader.engines.base import Samples
from loader.voices.catalog import locate_all, open_catalogue
from loader.voices.voice import Delivery

from .texts import long_text

#: About half a minute.
_TEXT = long_text(500)
#: Core time is the median of so many, after one that reads the codec in.
_REPEATS = 3
UNCOMPRESSED = ("wav", "pcm")
#: What OpenAI's clients expect of bare PCM.
RESAMPLED = ("pcm", 24_000)

#: Module and what it brings.
LIBRARIES = {"PyAV": "app.codecs.ffmpeg", "soxr": "app.codecs.resample"}


@dataclass(frozen=True)
class Import:
    """What a worker pays once."""

    ms: float
    #: Pages that are this process's own: neither the library's file nor shared with anybody.
    own_mb: float


@dataclass(frozen=True)
class Cost:
    """One format, one way."""

    audio_format: str
    sample_rate_hz: int
    streamed: bool
    #: Milliseconds of core time for a second of audio.
    core_ms_per_s: float
    kbit_per_s: float
    #: Of an encoder in the middle of a speech.
    own_mb: float


def main(config_path: str) -> None:
    """Measure, and print."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    settings = load_settings(config_path)
    voice = open_catalogue(settings, locate_all(settings)).default
    windows, rate_hz = list(voice.speak(_TEXT, Delivery(seed=0, soon=True))), voice.sample_rate_hz
    imports = {name: asdict(_imported(module)) for name, module in LIBRARIES.items()}
    ways = [(name, rate_hz) for name in FORMATS] + [RESAMPLED]
    costs = [asdict(_cost(*way, streamed, windows, rate_hz)) for way in ways for streamed in (False, True)]
    print(json.dumps({"audio_s": sum(map(len, windows)) / rate_hz, "imports": imports, "costs": costs}), flush=True)


def _imported(module: str) -> Import:
    before_mb, started_s = _own_mb(), time.process_time()
    importlib.import_module(module)
    return Import(1000 * (time.process_time() - started_s), _own_mb() - before_mb)


def _cost(name: str, sample_rate_hz: int, streamed: bool, windows: Sequence[Samples], voice_rate_hz: int) -> Cost:
    def opened() -> Encoder:
        return open_encoder(name, voice_rate_hz, sample_rate_hz, streamed)

    audio_s = sum(map(len, windows)) / voice_rate_hz
    times_s, sizes = zip(*(_encoded(opened(), windows) for _repeat in range(1 + _REPEATS)), strict=True)
    core_s = statistics.median(times_s[1:])
    own_mb = _held_mb(opened, windows[0])
    return Cost(name, sample_rate_hz, streamed, 1000 * core_s / audio_s, 8 * sizes[0] / 1000 / audio_s, own_mb)


def _encoded(encoder: Encoder, windows: Sequence[Samples]) -> tuple[float, int]:
    """Return the core seconds it takes and the bytes it makes."""
    started_s = time.process_time()
    with closing(encoder):
        size = sum(len(encoder.encode(window)) for window in windows)
        size += len(encoder.finish()) + len(encoder.head())
    return time.process_time() - started_s, size


def _held_mb(opened: Callable[[], Encoder], window: Samples) -> float:
    before_mb = _own_mb()
    with closing(opened()) as encoder:
        encoder.encode(window)
        return _own_mb() - before_mb


def _own_mb() -> float:
    heap.return_free_memory()
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) * 1024 / 1e6


if __name__ == "__main__":
    main(sys.argv[1])
