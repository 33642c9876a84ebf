"""How near the `onnx` decoder comes to what the core could do at most."""

import json
import sys
from collections.abc import Callable, Sequence

from .decoder import FRAMES, Rate
from .processes import conversing, hear
from .report import Figure, Target, figure
from .sides import ONE_THREAD, Sides

#: By the frames of a window; empty where the `onnx` engine is not measured.
_Round = dict[int, Rate]


def measure(sides: Sides) -> _Round:
    """Decode windows between runs of the loop that finds the peak."""
    rates: _Round = {}
    for side in sides.ours:
        if side.name == "onnx":
            command = [sys.executable, "-m", "ops.benchmarks.decoder", str(side.config_path), str(sides.voice.release)]
            with conversing(command, side.scratch / "decoder.log", ONE_THREAD) as child:
                rates = {each["frames"]: Rate(**each) for each in json.loads(hear(child))}
    return rates


def figures(label: str, rounds: Sequence[_Round]) -> list[Figure]:
    """Return the figures of one voice."""
    return [found for frames in FRAMES if frames in rounds[0] for found in _of_window(label, frames, rounds)]


def _of_window(label: str, frames: int, rounds: Sequence[_Round]) -> list[Figure]:
    def rate(value: Callable[[Rate], float]) -> Callable[[_Round], float]:
        return lambda each: value(each[frames])

    name = f"{label}, onnx decoder, {frames} frames"
    target = Target(">=", 0.75) if label == "large" else None
    return [
        figure(name, "GFLOP/s", rounds, rate(lambda r: r.gflops)),
        figure(f"{name}, peak beside it", "GFLOP/s", rounds, rate(lambda r: r.peak_gflops)),
        figure(f"{name}, of the peak", "x", rounds, rate(lambda r: r.of_peak), target),
    ]
