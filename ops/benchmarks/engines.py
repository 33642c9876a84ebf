"""Our engines and Coqui's own API, on both voices, one thread each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from . import engine_decoder, engine_memory, engine_speed, engine_start
from .parts import choice
from .report import Figure, Report, progress
from .sides import WORKERS, Sides, sides_of
from .voices import embedded_voice, large_voice


@dataclass(frozen=True)
class _Part:
    """One thing that is measured: every side in turn, and the figures of all rounds."""

    measure: Callable[[Sides], Any]
    figures: Callable[[str, Sequence[Any]], list[Figure]]


_PARTS = {
    name: _Part(module.measure, module.figures)
    for name, module in {
        "speed": engine_speed, "start": engine_start, "memory": engine_memory, "decoder": engine_decoder
    }.items()
}  # fmt: skip
_VOICES = {"large": large_voice, "embedded": embedded_voice}
_ENGINES = ("onnx", "pytorch")
#: What may be left out, so that one part can be repeated.
OPTIONS = (
    choice("--only", tuple(_PARTS), "What to measure; repeat the option for more."),
    choice("--voice", tuple(_VOICES), "On which voice."),
    choice("--engine", _ENGINES, "With which engine of ours, beside Coqui's own API."),
)


def engines(
    rounds: int, scratch: Path, only: tuple[str, ...], voice: tuple[str, ...], engine: tuple[str, ...]
) -> Report:
    """Each engine against Coqui's own API: speed, first audio, start, memory; and the decoder against the peak."""
    compared = [sides_of(label, _VOICES[label](scratch), engine, scratch) for label in voice]
    chosen = [(sides, name, list[Any]()) for sides in compared for name in only]
    for number in range(1, rounds + 1):
        for sides, name, found in chosen:
            progress(f"round {number}: {sides.label}, {name}")
            found.append(_PARTS[name].measure(sides))
    figures = tuple(each for sides, name, found in chosen for each in _PARTS[name].figures(sides.label, found))
    if not figures:
        raise click.UsageError("the decoder is that of engine onnx; add --engine onnx")
    return Report(figures, _NOTES)


_NOTES = (
    "Large: a voice of LJSpeech's size, random weights. Embedded: the embedded voice. Baked before; page cache warm.",
    "One thread each, by OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS. Native: Coqui's own API.",
    "Real-time factor: seconds of work for one of audio, no server, median of the sentences; its ratio sentence by sentence.",
    "First audio: from the text to the first samples; Coqui's API returns whole sentences. What it trims off is counted.",
    f"Exec to ready, PSS: a server of {WORKERS} workers, master included, against 1 native process, and {WORKERS} of them.",
    "Decoder: arithmetic of Coqui's own layers, not that of the rewritten graph, by core time. "
    "Peak: multiply-adds in registers, before and after every window.",
)
