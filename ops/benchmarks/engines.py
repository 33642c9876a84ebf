"""Engines: ours and Coqui's own API on the same voices, one thread each, and the decoder against the processor's peak.

As a program, `python -m ops.benchmarks.engines CONFIG` is one of our engines without a server. It reads a line of JSON for every
text, with `text`, `seed` and `soon`, and answers with the seconds of audio: of the whole text, or, if `soon`, of the first
window alone, as soon as that is computed. It measures nothing itself.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from app.system.processes import ProcessMemory
from app.tuning.server import ServerFailedError
from loader.voices.voice import SpeechOptions

from .availability import native_spoken_s, ours_start_s
from .memory import WORKERS, speak_by_native, speak_by_ours
from .report import Measure, Run, Value, progress
from .servers import ONE_THREAD, Program, core_s, ours, program
from .voices import HELLO, SENTENCES, MeasuredVoice, coqui_joe_voice, large_voice, open_voice

_ENGINES = ("onnx", "pytorch")
_PARTS = ("speed", "start", "memory", "decoder")
#: 4 to 26 words.
_SPEED_SENTENCES = tuple(SENTENCES[position] for position in (3, 12, 1, 6, 11))
#: The shortest ones; enough that everything that speaking needs was touched.
_MEMORY_SENTENCES = tuple(sorted(SENTENCES, key=len)[:6])
#: A process that uses more cores than this has more than one thread; core time is counted in hundredths of a second.
_MAX_CORES = 1.1


@dataclass(frozen=True)
class Sides:
    """Everything that is compared on one voice."""

    #: `large` or `embedded`.
    label: str
    voice: MeasuredVoice
    #: Configuration of each of our engines, by its name.
    config_paths: Mapping[str, Path]


@click.option("--only", multiple=True, default=_PARTS, show_default=True, type=click.Choice(_PARTS),
              help="What to measure; repeat the option for more.")  # fmt: skip
@click.option("--engine", multiple=True, default=_ENGINES, show_default=True, type=click.Choice(_ENGINES),
              help="With which engine of ours, beside Coqui's own API.")  # fmt: skip
def engines(run: Run, only: tuple[str, ...], engine: tuple[str, ...]) -> Measure:
    """Each engine against Coqui's own API: speed, first audio, start, memory; the decoder against the peak.

    Large: a voice of LJSpeech's size, random weights. Embedded: the embedded voice. Baked before; page cache warm. One thread
    each, by OMP_NUM_THREADS and its like. Native: Coqui's own API, with the quiet end that it trims counted.
    Pairing: all sides speak each sentence in turn, and start in turn; the peak is measured before and after every window.
    Figures: real-time factor, seconds of work for one of audio, no server, median of the sentences, its ratio sentence by
    sentence; first audio, seconds from the text to the first samples; exec to ready and PSS of a server of 4 workers, against 1
    native process, and 4 of them; GFLOP/s of Coqui's own decoder layers by core time, and of multiply-adds in registers.
    Targets: native / pytorch, real-time factor >= 1.1; native spoken / pytorch ready >= 2.5; pytorch PSS / native <= 0.2; large,
    onnx decoder / peak >= 0.75.
    """
    if only == ("decoder",) and "onnx" not in engine:
        raise click.UsageError("the decoder is that of engine onnx; add --engine onnx")

    def sides(label: str, voice: MeasuredVoice) -> Sides:
        config_paths = {}
        for name in engine:
            folder = run.folder(f"{label}-{name}")
            voice.bake(folder, engine=name)
            config_paths[name] = voice.write_config(folder, WORKERS, engine=name)
        return Sides(label, voice, config_paths)

    compared = [sides("large", large_voice(run)), sides("embedded", coqui_joe_voice(run))]
    parts: Mapping[str, Callable[[Run, Sides], Iterable[Value]]] = {
        "speed": _speed, "start": _start, "memory": _memory, "decoder": _decoder
    }  # fmt: skip

    def measure(_number: int) -> Iterable[Value]:
        for each in compared:
            for name in only:
                progress(f"  {each.label}, {name}")
                yield from parts[name](run, each)

    return measure


class Sentence(NamedTuple):
    """One sentence by one side, in seconds: its work by the clock and by cores, the first samples, and the audio."""

    took_s: float
    core_s: float
    first_s: float
    audio_s: float


def _speed(run: Run, sides: Sides) -> Iterable[Value]:
    programs: dict[str, tuple[Any, ...]] = {name: ("engines", path) for name, path in sides.config_paths.items()}
    programs["native"] = ("native", "speak", sides.voice.release, "--untrimmed")
    spoken: dict[str, list[Sentence]] = {name: [] for name in programs}
    with ExitStack() as stack:
        speakers = {
            name: stack.enter_context(program(run.scratch, *words, environment=ONE_THREAD)) for name, words in programs.items()
        }
        for name, speaker in speakers.items():
            _speak(name, speaker, HELLO, 0)
        for seed, text in enumerate(_SPEED_SENTENCES[: run.size(5, 2)]):
            for name, speaker in speakers.items():
                spoken[name].append(_speak(name, speaker, text, seed))
    for name, sentences in spoken.items():
        used_s, took_s = sum(each.core_s for each in sentences), sum(each.took_s for each in sentences)
        if used_s > _MAX_CORES * took_s + 0.1:
            raise ServerFailedError(f"{name} was given one thread and used {used_s / took_s:.2f} cores")
    return speed_values(sides.label, spoken)


def _speak(name: str, speaker: Program, text: str, seed: int) -> Sentence:
    """Have one side speak a whole text, then its first window; Coqui's API knows neither seeds nor windows."""

    def ask(soon: bool) -> tuple[float, float]:
        line = text if name == "native" else json.dumps({"text": text, "seed": seed, "soon": soon})
        started_s = time.perf_counter()
        audio_s = float(speaker.ask(line))
        return time.perf_counter() - started_s, audio_s

    core_before_s = core_s(speaker.process.pid)
    took_s, audio_s = ask(soon=False)
    used_s = core_s(speaker.process.pid) - core_before_s
    # Coqui's API returns nothing before it returns everything.
    return Sentence(took_s, used_s, took_s if name == "native" else ask(soon=True)[0], audio_s)


def speed_values(label: str, spoken: Mapping[str, Sequence[Sentence]]) -> Iterable[Value]:
    """Return the speed of all sides on one voice, and native over each of ours."""
    factors = {name: [each.took_s / each.audio_s for each in sentences] for name, sentences in spoken.items()}
    totals = {name: Sentence(*map(sum, zip(*sentences, strict=True))) for name, sentences in spoken.items()}
    for name, total in totals.items():
        yield Value(f"{label}, {name}, real-time factor", "x", statistics.median(factors[name]))
        yield Value(f"{label}, {name}, first audio", "s", statistics.median(each.first_s for each in spoken[name]))
        yield Value(f"{label}, {name}, cores while speaking", "x", total.core_s / total.took_s)
    native = totals.pop("native")
    for name, own in totals.items():
        # Sentence by sentence, since those follow each other closely.
        slower = statistics.median(theirs / factor for theirs, factor in zip(factors["native"], factors[name], strict=True))
        costlier = (native.core_s / native.audio_s) / (own.core_s / own.audio_s)
        yield Value(f"{label}, native / {name}, real-time factor", "x", slower, ">= 1.1" if name == "pytorch" else "")
        yield Value(f"{label}, native / {name}, core time", "x", costlier)


def _start(run: Run, sides: Sides) -> Iterable[Value]:
    label = sides.label
    own = {name: ours_start_s(path, run.scratch, ONE_THREAD) for name, path in sides.config_paths.items()}
    native_s = native_spoken_s(sides.voice.release, run.scratch, ONE_THREAD)
    yield Value(f"{label}, native, exec to spoken", "s", native_s)
    for name, (ready_s, spoken_s) in own.items():
        yield Value(f"{label}, {name}, exec to ready", "s", ready_s)
        yield Value(f"{label}, {name}, exec to spoken", "s", spoken_s)
        target = ">= 2.5" if name == "pytorch" else ""
        yield Value(f"{label}, native spoken / {name} ready", "x", native_s / ready_s, target)
        yield Value(f"{label}, native spoken / {name} spoken", "x", native_s / spoken_s)


def _memory(run: Run, sides: Sides) -> Iterable[Value]:
    label, sentences = sides.label, _MEMORY_SENTENCES[: run.size(6, 1)]
    own: dict[str, ProcessMemory] = {
        name: speak_by_ours(ours(path, environment=ONE_THREAD), sentences, run.scratch).after
        for name, path in sides.config_paths.items()
    }
    native = speak_by_native(sides.voice.release, sentences, run.scratch, ONE_THREAD)
    yield Value(f"{label}, native, sum of RSS", "MB", native.rss_bytes / 1e6)
    yield Value(f"{label}, native, sum of PSS", "MB", native.pss_bytes / 1e6)
    for name, each in own.items():
        target = "<= 0.2" if name == "pytorch" else ""
        yield Value(f"{label}, {name}, sum of PSS", "MB", each.pss_bytes / 1e6)
        yield Value(f"{label}, {name} PSS / native RSS", "x", each.pss_bytes / native.rss_bytes, target)
        yield Value(f"{label}, {name} PSS / native PSS", "x", each.pss_bytes / native.pss_bytes, target)


def _decoder(run: Run, sides: Sides) -> Iterable[Value]:
    if "onnx" not in sides.config_paths:
        return
    arguments = (sides.config_paths["onnx"], sides.voice.release)
    with program(run.scratch, "peak", *arguments, environment=ONE_THREAD) as decoder:
        rates = json.loads(decoder.read())
    for each in rates:
        name = f"{sides.label}, onnx decoder, {each['frames']} frames"
        yield Value(name, "GFLOP/s", each["gflops"])
        yield Value(f"{name}, peak beside it", "GFLOP/s", each["peak_gflops"])
        yield Value(f"{name}, of the peak", "x", each["of_peak"], ">= 0.75" if sides.label == "large" else "")


def _answer_lines(config_path: str) -> None:
    """Open the voices as a server does, then speak until the input ends."""
    voice = open_voice(config_path)
    for line in sys.stdin:
        asked = json.loads(line)
        windows = voice.speak(asked["text"], SpeechOptions(asked["seed"], soon=asked["soon"]))
        samples = next(windows).size if asked["soon"] else sum(window.size for window in windows)
        print(samples / voice.sample_rate_hz, flush=True)


if __name__ == "__main__":
    _answer_lines(sys.argv[1])
