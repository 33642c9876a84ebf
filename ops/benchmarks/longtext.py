"""An hour of audio from one request: whether memory stays where it is, and whether a listener ever waits."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import click

from .listening import Delivery, gaps_s, listen, playback
from .machine import usable_cores
from .memory import untouched_workers
from .pages import pages_of, pages_together, sampled
from .report import Figure, Report, Target, figure, progress
from .servers import ask_ours, ours, started
from .texts import long_text
from .voices import embedded_voice, write_config

#: What the embedded voice speaks in a minute, pauses included.
_CHARACTERS_A_MINUTE = 1020
_SAMPLE_EVERY_S = 0.25
_MINUTE_S = 60.0
#: How much audio the slow reader takes in a second, at most: so much, and half of what the server could make.
_SLOW, _SLOW_SHARE = 20.0, 0.5
#: What the slow reader's kernel holds for it; others take 33 MB, 12 minutes of audio.
_SLOW_KERNEL_BYTES = 65_536
#: How far the server may be ahead of a reader: the sender's kernel takes 4 MB, 95 s of audio.
_AHEAD_S = 180.0

OPTIONS = (
    click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(6), help="How much audio, about."),
)


@dataclass(frozen=True)
class Sample:
    """What the server holds at one moment."""

    #: `time.perf_counter()`.
    at_s: float
    #: Master and workers.
    pss_bytes: int
    #: Of the worker that holds most alone.
    largest_uss_bytes: int


@dataclass(frozen=True)
class Reading:
    """One request from its first byte to its last."""

    #: `time.perf_counter()` just before it was sent.
    started_s: float
    delivered: tuple[Delivery, ...] = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)

    @property
    def audio_s(self) -> float:
        """How long all of it plays."""
        return sum(each.audio_s for each in self.delivered)

    @property
    def speed(self) -> float:
        """Seconds of audio for one second on the clock."""
        return self.audio_s / self.delivered[-1].complete_s

    def while_hearing(self, from_audio_s: float, to_audio_s: float) -> list[Sample]:
        """Return the samples taken while that stretch of the audio arrived; the nearest one where there is none."""
        begin_s, end_s = (self.started_s + self._arrived_s(audio_s) for audio_s in (from_audio_s, to_audio_s))
        nearest = min(self.samples, key=lambda sample: abs(sample.at_s - end_s))
        return [sample for sample in self.samples if begin_s <= sample.at_s <= end_s] or [nearest]

    def _arrived_s(self, audio_s: float) -> float:
        """Return when so much audio had arrived, or all of it."""
        totals_s = accumulate(each.audio_s for each in self.delivered)
        arrived = (each for each, total_s in zip(self.delivered, totals_s, strict=True) if total_s >= audio_s)
        return next(arrived, self.delivered[-1]).complete_s


@dataclass(frozen=True)
class Round:
    """The same text twice, each time from a fresh server."""

    fast: Reading
    slow: Reading


def longtext(rounds: int, scratch: Path, minutes: float) -> Report:
    """Memory of the server and gaps between windows over an hour of audio."""
    voice, text = embedded_voice(scratch), long_text(round(minutes * _CHARACTERS_A_MINUTE))
    limits = {"text_characters": 1_000_000, "body_bytes": 16_777_216}
    config_path = write_config(scratch, voice.model_path, usable_cores(), limits=limits)
    measured = [_round(number, text, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _notes(len(text)))


def _notes(characters: int) -> tuple[str, ...]:
    return (
        f"The embedded voice, {usable_cores()} workers, a text of {characters} characters streamed as a WAV file; "
        "a fresh server for each reader. PSS: master and workers.",
        "Fast reader: as fast as it can. Underruns, stall and reserve: of somebody who plays in real time from the first "
        "byte. A gap lies between two arrivals; a pause that is sent with the sentence before it makes none.",
        f"Slow reader: at {_SLOW:g} times real time or {_SLOW_SHARE:g} of the fast one, whichever is less.",
        f"After a minute, at the end: medians of a sample every {_SAMPLE_EVERY_S:g} s while a minute of audio arrived, the "
        f"second one and the one before the last {_AHEAD_S / _MINUTE_S:g}, which the server may have sent by then.",
    )


def _round(number: int, text: str, config_path: Path, scratch: Path) -> Round:
    fast = _read(text, config_path, scratch, float("inf"))
    progress(f"round {number}: {fast.audio_s:.0f} s of audio, {fast.speed:.1f} a second; now the slow reader")
    return Round(fast, _read(text, config_path, scratch, min(_SLOW, _SLOW_SHARE * fast.speed)))


def _read(text: str, config_path: Path, scratch: Path, speed: float) -> Reading:
    """Have a fresh server speak `text` to somebody who takes at most `speed` seconds of audio a second."""
    delivered, taken_s = [], 0.0
    kernel_bytes = None if speed == float("inf") else _SLOW_KERNEL_BYTES
    with started(ours(config_path), scratch / "longtext.log") as server:
        server.await_ready()
        workers = untouched_workers(server, usable_cores())
        with sampled(lambda: _sample(server.child.pid, workers), _SAMPLE_EVERY_S) as samples:
            started_s = time.perf_counter()
            for delivery in listen(server, ask_ours(text, seed=0, stream=True), kernel_bytes):
                delivered.append(delivery)
                taken_s += delivery.audio_s
                time.sleep(max(0.0, taken_s / speed - (time.perf_counter() - started_s)))
    return Reading(started_s, tuple(delivered), tuple(samples))


def _sample(master: int, workers: Sequence[int]) -> Sample:
    return Sample(
        time.perf_counter(),
        pages_together([master, *workers]).pss_bytes,
        max(pages_of(worker).uss_bytes for worker in workers),
    )


def _figures(rounds: Sequence[Round]) -> tuple[Figure, ...]:
    return (
        *_delivery(rounds),
        *_memory("fast reader", rounds, lambda each: each.fast),
        figure("slow reader, took", "s/s", rounds, lambda each: each.slow.speed),
        figure("slow reader, underruns", "", rounds, lambda r: playback(r.slow.delivered).underruns, Target("<=", 0)),
        *_memory("slow reader", rounds, lambda each: each.slow),
    )


def _delivery(rounds: Sequence[Round]) -> tuple[Figure, ...]:
    played = [playback(each.fast.delivered) for each in rounds]
    gaps = [sorted(gaps_s(each.fast.delivered)) for each in rounds]
    return (
        figure("audio", "s", rounds, lambda each: each.fast.audio_s),
        figure("real-time factor", "x", rounds, lambda each: 1 / each.fast.speed),
        figure("first audio", "s", rounds, lambda each: each.fast.delivered[0].first_byte_s),
        figure("gap, median", "s", gaps, statistics.median),
        figure("gap, 99th of 100", "s", gaps, lambda each: each[int(0.99 * (len(each) - 1))]),
        figure("gap, longest", "s", gaps, max),
        figure("underruns", "", played, lambda each: each.underruns, Target("<=", 0)),
        figure("longest stall", "s", played, lambda each: each.longest_stall_s),
        figure("least reserve", "s", played, lambda each: each.least_reserve_s),
    )


def _memory(name: str, rounds: Sequence[Round], reading: Callable[[Round], Reading]) -> tuple[Figure, ...]:
    readings = [reading(each) for each in rounds]
    return (
        figure(f"{name}, PSS after a minute", "MB", readings, _early_mb),
        figure(f"{name}, PSS at the end", "MB", readings, _late_mb),
        figure(f"{name}, PSS at the end / after a minute", "x", readings, lambda each: _late_mb(each) / _early_mb(each)),
        figure(f"{name}, PSS at its peak", "MB", readings, lambda each: _mb(max(s.pss_bytes for s in each.samples))),
        figure(f"{name}, PSS at its peak, second half / first half", "x", readings, _later_peak),
        figure(f"{name}, largest USS of a worker", "MB", readings,
               lambda each: _mb(max(s.largest_uss_bytes for s in each.samples))),
    )  # fmt: skip


def _early_mb(reading: Reading) -> float:
    return _pss_mb(reading.while_hearing(_MINUTE_S, 2 * _MINUTE_S))


def _late_mb(reading: Reading) -> float:
    end_s = reading.audio_s - _AHEAD_S
    return _pss_mb(reading.while_hearing(end_s - _MINUTE_S, end_s))


def _later_peak(reading: Reading) -> float:
    halves = ((0.0, reading.audio_s / 2), (reading.audio_s / 2, reading.audio_s))
    first, second = (max(sample.pss_bytes for sample in reading.while_hearing(*half)) for half in halves)
    return second / first


def _pss_mb(samples: Sequence[Sample]) -> float:
    return _mb(statistics.median(sample.pss_bytes for sample in samples))


def _mb(size_bytes: float) -> float:
    return size_bytes / 1e6
