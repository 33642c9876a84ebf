"""Long text: an hour of audio from one request, whether memory stays constant, and whether a listener ever waits."""

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import click

from app.system.processes import memory_of, sampled, sum_of

from .clients import Delivery, gaps_s, listen, playback
from .report import Report, Run, Value, percentile, usable_cores
from .servers import SETTLE_S, ask_ours, ours, started
from .voices import embedded_voice, long_text, write_config

OPTIONS = (
    click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(6), help="How much audio, about."),
)
#: Of the embedded voice, pauses included.
_CHARACTERS_PER_MINUTE = 1020
_SAMPLE_EVERY_S = 0.25
_MINUTE_S = 60.0
#: The slow reader takes at most this much audio a second, and at most this share of what the server can make.
_SLOW, _SLOW_SHARE = 20.0, 0.5
#: Receive buffer of the slow reader; by default the kernel holds 33 MB, 12 minutes of audio.
_SLOW_BUFFER_BYTES = 65_536
#: How far the server may be ahead of a reader: the sender's kernel takes 4 MB, 95 s of audio.
_AHEAD_S = 180.0


@dataclass(frozen=True)
class Sample:
    """Memory of the server at one moment."""

    #: `time.perf_counter()`.
    at_s: float
    #: Master and workers.
    pss_bytes: int
    #: Of the worker with the largest.
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
        """Play time of all of it."""
        return sum(each.audio_s for each in self.delivered)

    @property
    def speed(self) -> float:
        """Seconds of audio for one second on the clock."""
        return self.audio_s / self.delivered[-1].complete_s

    def while_hearing(self, from_audio_s: float, to_audio_s: float) -> list[Sample]:
        """Return the samples taken while that part of the audio arrived; the nearest one if there is none."""
        begin_s, end_s = (self.started_s + self._arrived_s(audio_s) for audio_s in (from_audio_s, to_audio_s))
        nearest = min(self.samples, key=lambda sample: abs(sample.at_s - end_s))
        return [sample for sample in self.samples if begin_s <= sample.at_s <= end_s] or [nearest]

    def _arrived_s(self, audio_s: float) -> float:
        """Return when that much audio had arrived, or all of it."""
        totals_s = accumulate(each.audio_s for each in self.delivered)
        arrived = (each for each, total_s in zip(self.delivered, totals_s, strict=True) if total_s >= audio_s)
        return next(arrived, self.delivered[-1]).complete_s


def longtext(run: Run, minutes: float) -> Report:
    """Memory and gaps between windows over an hour of audio from one request.

    Pairing: a fast reader and a slow one, each with a fresh server; memory at the end / after a minute of the same request.
    Figures: MB of PSS, their ratio, gaps, underruns of a listener in real time. Target: no underrun.
    """
    text = long_text(round(run.size(minutes, 0.5) * _CHARACTERS_PER_MINUTE))
    limits = {"text_characters": 1_000_000, "body_bytes": 16_777_216}
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, usable_cores(), limits=limits)

    def measure(_number: int) -> Iterable[Value]:
        fast = _read(text, config_path, run.scratch, float("inf"))
        slow = _read(text, config_path, run.scratch, min(_SLOW, _SLOW_SHARE * fast.speed))
        played, gaps = playback(fast.delivered), gaps_s(fast.delivered)
        yield Value("audio", "s", fast.audio_s)
        yield Value("real-time factor", "x", 1 / fast.speed)
        yield Value("first audio", "s", fast.delivered[0].first_byte_s)
        yield Value("gap, median", "s", statistics.median(gaps))
        yield Value("gap, 99th of 100", "s", percentile(gaps, 99))
        yield Value("gap, longest", "s", max(gaps))
        yield Value("underruns", "", played.underruns, "<= 0")
        yield Value("longest stall", "s", played.longest_stall_s)
        yield Value("least reserve", "s", played.least_reserve_s)
        yield from _memory_values("fast reader", fast)
        yield Value("slow reader, took", "s/s", slow.speed)
        yield Value("slow reader, underruns", "", playback(slow.delivered).underruns, "<= 0")
        yield from _memory_values("slow reader", slow)

    return run.report(
        measure,
        f"The embedded voice, {usable_cores()} workers, a text of {len(text)} characters streamed as a WAV file; "
        "a fresh server for each reader. PSS: master and workers.",
        "Fast reader: as fast as it can. Underruns, stall and reserve: of a listener who plays in real time from the first "
        "byte. A gap lies between two arrivals; a pause that is sent with the sentence before it makes none.",
        f"Slow reader: at {_SLOW:g} times real time or {_SLOW_SHARE:g} of the fast one, whichever is less.",
        f"After a minute, at the end: medians of a sample every {_SAMPLE_EVERY_S:g} s while a minute of audio arrived, the "
        f"second one and the one before the last {_AHEAD_S / _MINUTE_S:g}, which the server may have sent by then.",
    )


def _read(text: str, config_path: Path, scratch: Path, speed: float) -> Reading:
    """Have a fresh server speak `text` to a reader that takes at most `speed` seconds of audio a second."""
    delivered, taken_s = [], 0.0
    buffer_bytes = None if speed == float("inf") else _SLOW_BUFFER_BYTES
    with started(ours(config_path), scratch / "longtext.log") as server:
        workers = server.await_workers(usable_cores())
        time.sleep(SETTLE_S)
        with sampled(lambda: _sample(server.pid, workers), _SAMPLE_EVERY_S) as samples:
            started_s = time.perf_counter()
            for delivery in listen(server, ask_ours(text, seed=0, stream=True), buffer_bytes):
                delivered.append(delivery)
                taken_s += delivery.audio_s
                time.sleep(max(0.0, taken_s / speed - (time.perf_counter() - started_s)))
    return Reading(started_s, tuple(delivered), tuple(samples))


def _sample(master: int, workers: Sequence[int]) -> Sample:
    each = [memory_of(pid) for pid in (master, *workers)]
    return Sample(time.perf_counter(), sum_of(each).pss_bytes, max(worker.uss_bytes for worker in each[1:]))


def _memory_values(name: str, reading: Reading) -> Iterable[Value]:
    def median_mb(from_s: float) -> float:
        return statistics.median(each.pss_bytes for each in reading.while_hearing(from_s, from_s + _MINUTE_S)) / 1e6

    def peak_mb(from_s: float, to_s: float) -> float:
        return max(each.pss_bytes for each in reading.while_hearing(from_s, to_s)) / 1e6

    end_s, half_s = reading.audio_s - _AHEAD_S, reading.audio_s / 2
    early_mb, late_mb = median_mb(_MINUTE_S), median_mb(end_s - _MINUTE_S)
    later_to_earlier = peak_mb(half_s, reading.audio_s) / peak_mb(0.0, half_s)
    yield Value(f"{name}, PSS after a minute", "MB", early_mb)
    yield Value(f"{name}, PSS at the end", "MB", late_mb)
    yield Value(f"{name}, PSS at the end / after a minute", "x", late_mb / early_mb)
    yield Value(f"{name}, PSS at its peak", "MB", max(each.pss_bytes for each in reading.samples) / 1e6)
    yield Value(f"{name}, PSS at its peak, second half / first half", "x", later_to_earlier)
    yield Value(f"{name}, largest USS of a worker", "MB", max(each.largest_uss_bytes for each in reading.samples) / 1e6)
