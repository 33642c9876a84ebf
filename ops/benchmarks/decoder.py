"""The `onnx` decoder by itself, beside the processor's peak: `python -m ops.benchmarks.decoder CONFIG RELEASE`.

Prints one line of JSON: for each length of a window, what was measured. One thread, and
core time on both sides: other processes then only disturb by what they evict from the caches.
"""

import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.system import heap
from loader.artifacts.artifact import open_artifact
from loader.config.settings import load_settings
from loader.engines.onnx import OnnxNetworks
from loader.engines.vits import Condition
from loader.voices.catalog import locate_all

from .flops import decoder_multiply_adds
from .peak import Loop

#: Latent frames of a window: half of, and as many as, the engine feeds at most, but for margins.
FRAMES = (128, 256)
_PAIRS = 4


@dataclass(frozen=True)
class Rate:
    """Medians over some decoded windows; 10^9 additions and multiplications a core second."""

    frames: int
    gflops: float
    #: Of the loop that does nothing but multiply and add, run before and after each window.
    peak_gflops: float
    #: Of the ratio, pair by pair: the clock varies by the minute.
    of_peak: float


def main(config_path: str, release: Path) -> None:
    """Measure, and print."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    settings = load_settings(config_path)
    artifact = open_artifact(locate_all(settings)[0])
    networks, loop = OnnxNetworks(artifact), Loop()
    model_args = json.loads((release / "config.json").read_text(encoding="utf-8"))["model_args"]
    print(json.dumps([asdict(_rate(frames, model_args, networks, loop)) for frames in FRAMES]), flush=True)


def _rate(frames: int, model_args: Mapping[str, Any], networks: OnnxNetworks, loop: Loop) -> Rate:
    # Whatever the numbers are, the work is the same.
    window = np.random.default_rng(0).standard_normal((1, model_args["hidden_channels"], frames), dtype=np.float32)
    billions = 2 * decoder_multiply_adds(model_args, frames) / 1e9
    for _warm_up in range(2):
        networks.decode(window, Condition())
    peaks, rates = [loop.peak_gflops()], []
    for _pair in range(_PAIRS):
        # Of all threads: one more than there should be would show as a slow decoder.
        started_s = time.process_time()
        networks.decode(window, Condition())
        rates.append(billions / (time.process_time() - started_s))
        peaks.append(loop.peak_gflops())
    ratios = [2 * rate / (before + after) for rate, before, after in zip(rates, peaks[:-1], peaks[1:], strict=True)]
    return Rate(frames, statistics.median(rates), statistics.median(peaks), statistics.median(ratios))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
