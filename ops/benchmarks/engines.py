"""Engines: ours and Coqui's own API on the same voices, one thread each, and the decoder against the processor's peak.

As a program, `python -m ops.benchmarks.engines CONFIG` is one of our engines without a server. It reads a line of JSON for every
text, with `text`, `seed` and `soon`, and answers with the seconds of audio: of the whole text, or, if `soon`, of the first
window alone, as soon as that is computed. It measures nothing itself.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click

from app.system.processes import ProcessMemory
from app.tuning.server import ServerFailedError
from loader.voices.voice import SpeechOptions

from .availability import native_spoken_s, ours_start_s
from .memory import WORKERS, speak_by_native, speak_by_ours
from .report import Measure, Run, Value, progress
from .servers import ONE_THREAD, Program, core_s, ours, program
from .voices import HELLO, SENTENCES, MeasuredVoice, embedded_voice, large_voice, open_voice

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

    compared = [sides("large", large_voice(run)), sides("embedded", embedded_voice(run))]
    parts: Mapping[str, Callable[[Run, Sides], Iterable[Value]]] = {
        "speed": _speed, "start": _start, "memory": _memory, "decoder": _decoder
    }  # fmt: skip

    def measure(_number: int) -> Iterable[Value]:
        for each in compared:
            for name in only:
                progress(f"  {each.label}, {name}")
                yield from parts[name](run, each)

    return measure


@dataclass
class Speaker:
    """One side's process, and its measurements so far, sentence by sentence."""

    name: str
    process: Program | None
    #: Seconds of work for one second of audio.
    factors: list[float] = field(default_factory=list)
    #: From the text to the first samples.
    first_s: list[float] = field(default_factory=list)
    took_s: float = 0.0
    core_s: float = 0.0
    audio_s: float = 0.0

    def speak(self, text: str, seed: int, soon: bool) -> tuple[float, float]:
        """Return the seconds it took and the seconds of audio; Coqui's API knows neither seeds nor windows."""
        assert self.process is not None
        line = text if self.name == "native" else json.dumps({"text": text, "seed": seed, "soon": soon})
        started_s = time.perf_counter()
        audio_s = float(self.process.ask(line))
        return time.perf_counter() - started_s, audio_s

    def measure(self, text: str, seed: int) -> None:
        """Measure one sentence: the whole of it, then its first window. More than one thread is an error."""
        assert self.process is not None
        core_before_s = core_s(self.process.process.pid)
        took_s, audio_s = self.speak(text, seed, soon=False)
        self.core_s += core_s(self.process.process.pid) - core_before_s
        self.took_s += took_s
        self.audio_s += audio_s
        self.factors.append(took_s / audio_s)
        # Coqui's API returns nothing before it returns everything.
        self.first_s.append(took_s if self.name == "native" else self.speak(text, seed, soon=True)[0])
        if self.core_s > _MAX_CORES * self.took_s + 0.1:
            raise ServerFailedError(f"{self.name} was given one thread and used {self.core_s / self.took_s:.2f} cores")


def _speed(run: Run, sides: Sides) -> Iterable[Value]:
    programs: dict[str, tuple[object, ...]] = {name: ("engines", path) for name, path in sides.config_paths.items()}
    programs["native"] = ("native", "speak", sides.voice.release, "--untrimmed")
    with ExitStack() as stack:
        speakers = [
            Speaker(name, stack.enter_context(program(run.scratch, str(module), *arguments, environment=ONE_THREAD)))
            for name, (module, *arguments) in programs.items()
        ]
        for speaker in speakers:
            speaker.speak(HELLO, 0, soon=False)
        for seed, text in enumerate(_SPEED_SENTENCES[: run.size(5, 2)]):
            for speaker in speakers:
                speaker.measure(text, seed)
    return speed_values(sides.label, speakers)


def speed_values(label: str, speakers: list[Speaker]) -> Iterable[Value]:
    """Return the speed of all sides on one voice, native last, and native over each of ours."""
    for each in speakers:
        yield Value(f"{label}, {each.name}, real-time factor", "x", statistics.median(each.factors))
        yield Value(f"{label}, {each.name}, first audio", "s", statistics.median(each.first_s))
        yield Value(f"{label}, {each.name}, cores while speaking", "x", each.core_s / each.took_s)
    *own, native = speakers
    for each in own:
        # Sentence by sentence, since those follow each other closely.
        slower = statistics.median(theirs / factor for theirs, factor in zip(native.factors, each.factors, strict=True))
        costlier = (native.core_s / native.audio_s) / (each.core_s / each.audio_s)
        target = ">= 1.1" if each.name == "pytorch" else ""
        yield Value(f"{label}, native / {each.name}, real-time factor", "x", slower, target)
        yield Value(f"{label}, native / {each.name}, core time", "x", costlier)


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
