"""Memory of speaking: this server against native processes, idle workers, a long text against a short one, an hour of audio."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice
from pathlib import Path

import click

from app.scoreboard.snapshot import snapshot
from app.system.processes import ProcessMemory, memory_of, memory_of_tree, sampled, sum_of

from .clients import Delivery, deliveries, gaps_s, playback
from .report import Measure, Run, Value, percentile, progress
from .servers import SETTLE_S, Kind, Server, ask_ours, ours, program, serving, speech_s, started, usable_cores
from .voices import SENTENCES, SHORT_TEXT, embedded_voice, large_voice, long_text

WORKERS = 4
#: The embedded voice speaks about 17 characters a second, pauses included; this is a little over five minutes.
_LONG_CHARACTERS = 5300
_CHARACTERS_PER_MINUTE = 1020
_SAMPLE_EVERY_S, _LONGTEXT_SAMPLE_EVERY_S = 0.05, 0.25
#: Clients at once, pass by pass: few, since what a thread leaves behind counts, then more until every worker was reached.
_CLIENTS = (4,) * 6 + (8,) * 6 + (16,) * 12

_MINUTE_S = 60.0
#: The slow reader takes at most this much audio a second, and at most this share of what the server can make.
_SLOW, _SLOW_SHARE = 20.0, 0.5
#: Receive buffer of the slow reader; by default the kernel holds 33 MB, 12 minutes of audio.
_SLOW_BUFFER_BYTES = 65_536
#: How far the server may be ahead of a reader: the sender's kernel takes 4 MB, 95 s of audio.
_AHEAD_S = 180.0


@dataclass(frozen=True)
class Spoken:
    """This server before any request, and after every worker spoke."""

    idle: ProcessMemory
    after: ProcessMemory
    #: USS of each worker, with the processes that read text for it.
    idle_uss_bytes: tuple[int, ...]
    uss_bytes: tuple[int, ...]


def memory(run: Run) -> Measure:
    """PSS of master and workers after speaking, against native processes.

    A voice of LJSpeech's size, master and 4 workers after each worker spoke at least 20 sentences; short and long text: the
    embedded voice, a fresh server each, one request for a whole WAV file.
    Pairing: in each round ours speaks, then 4 native processes, alive at once, the same sentences; then both texts by ours.
    Figures: MB; ours PSS / native RSS, long / short text. Targets: <= 0.08, <= 1.3; an idle worker's USS <= 5 MB.
    """
    large, embedded = large_voice(run), embedded_voice(run)
    # The shortest ones: what counts is that everything that speaking needs was touched often.
    sentences = sorted(SENTENCES, key=len)[: run.size(20, 2)]
    texts = {"short": SHORT_TEXT, "long": long_text(run.size(_LONG_CHARACTERS, 1000))}

    def measure(_number: int) -> Iterable[Value]:
        own = speak_by_ours(ours(large.write_config(run.scratch, WORKERS)), sentences, run.scratch)
        native = speak_by_native(large.release, sentences, run.scratch)
        kind = ours(embedded.write_config(run.scratch, WORKERS, limits={"text_characters": 100_000}))
        by_text = {name: _speak_one_text(kind, text, run.scratch) for name, text in texts.items()}
        yield Value("ours, sum of PSS", "MB", own.after.pss_bytes / 1e6)
        yield Value("native, sum of RSS", "MB", native.rss_bytes / 1e6)
        yield Value("native, sum of PSS", "MB", native.pss_bytes / 1e6)
        yield Value("ours PSS / native RSS", "x", own.after.pss_bytes / native.rss_bytes, "<= 0.08")
        yield Value("ours PSS / native PSS", "x", own.after.pss_bytes / native.pss_bytes)
        yield Value("ours idle, sum of PSS", "MB", own.idle.pss_bytes / 1e6)
        yield Value("ours idle, largest USS of a worker", "MB", max(own.idle_uss_bytes) / 1e6, "<= 5")
        yield Value("ours after, largest USS of a worker", "MB", max(own.uss_bytes) / 1e6)
        for name, (audio_s, after_bytes, peak_bytes) in by_text.items():
            yield Value(f"{name} text, audio", "s", audio_s)
            yield Value(f"{name} text, sum of PSS after", "MB", after_bytes / 1e6)
            yield Value(f"{name} text, sum of PSS at its peak", "MB", peak_bytes / 1e6)
        (_, short_after, short_peak), (_, long_after, long_peak) = by_text.values()
        yield Value("long / short, PSS after", "x", long_after / short_after, "<= 1.3")
        yield Value("long / short, PSS at its peak", "x", long_peak / short_peak)

    return measure


def speak_by_ours(server_kind: Kind, sentences: Sequence[str], scratch: Path) -> Spoken:
    """Start a server of 4 workers, have each speak at least as many sentences as given, and end it."""
    with started(server_kind, scratch) as server:
        workers = server.wait_workers(WORKERS)
        time.sleep(SETTLE_S)
        idle, idle_uss_bytes = total_memory(server), _uss_of(workers)
        speak_by_every_worker(sentences, server, workers)
        time.sleep(SETTLE_S)
        return Spoken(idle, total_memory(server), idle_uss_bytes, _uss_of(workers))


def speak_by_every_worker(sentences: Sequence[str], server: Server, workers: Sequence[int]) -> None:
    """Have every worker of our server speak at least as many texts as given; raise ServerFailedError if one was not reached."""
    texts, board = cycle(sentences), server.board()
    before = {each.pid: each.speeches for each in snapshot(board).workers}
    for clients in _CLIENTS:
        # A pass too small to reach all workers says nothing about any of them.
        server.speak_all(list(islice(texts, max(len(sentences), clients))), clients)
        spoken = [each.speeches - before.get(each.pid, 0) for each in snapshot(board).workers if each.pid in workers]
        progress(f"  {clients} clients, texts by worker: {spoken}")
        if min(spoken) >= len(sentences):
            return
    raise server.failure(f"a worker did not get {len(sentences)} texts")


def speak_by_native(
    release: Path, sentences: Sequence[str], scratch: Path, environment: Mapping[str, str] | None = None
) -> ProcessMemory:
    """Have 4 native processes speak the sentences, all alive at once."""
    with ExitStack() as stack:
        natives = [
            stack.enter_context(program(scratch, "native", "speak", release, environment=environment)) for _ in range(WORKERS)
        ]
        # One after the other: together, torch's threads would compete for the cores for many minutes.
        for native in natives:
            for sentence in sentences:
                native.ask(sentence)
        return sum_of(memory_of(native.process.pid) for native in natives)


def total_memory(server: Server) -> ProcessMemory:
    """Return the memory of all processes of a server."""
    return sum_of(memory_of_tree(server.pid).values())


def _uss_of(workers: Sequence[int]) -> tuple[int, ...]:
    return tuple(sum_of(memory_of_tree(pid).values()).uss_bytes for pid in workers)


def _speak_one_text(kind: Kind, text: str, scratch: Path) -> tuple[float, int, int]:
    """Have a fresh server speak; return seconds of audio, and bytes of PSS after it and at its peak."""
    with serving(kind, scratch) as server:
        with sampled(lambda: total_memory(server).pss_bytes, _SAMPLE_EVERY_S) as samples:
            audio = server.speak(text)
            time.sleep(SETTLE_S)
        return speech_s(audio), total_memory(server).pss_bytes, max(samples)


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


@click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(6), help="How much audio, about.")
def longtext(run: Run, minutes: float) -> Measure:
    """Memory and gaps between windows over an hour of audio from one request.

    The embedded voice, a worker a core, a text streamed as a WAV file. The slow reader takes 20 times real time or half of what
    the fast one got, whichever is less.
    Pairing: a fast reader and a slow one, each with a fresh server; memory at the end / after a minute of the same request.
    Figures: MB of PSS of master and workers; after a minute, at the end: medians of the samples while a minute of audio arrived,
    the second one and the one before the last 3, which the server may have sent by then. A gap lies between two arrivals; a pause
    that is sent with the sentence before it makes none. Underruns, stall, reserve: of a listener who plays in real time from the
    first byte. Target: no underrun.
    """
    text = long_text(round(run.size(minutes, 0.5) * _CHARACTERS_PER_MINUTE))
    limits = {"text_characters": 1_000_000, "body_bytes": 16_777_216}
    config_path = embedded_voice(run).write_config(run.scratch, usable_cores(), limits=limits)

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

    return measure


def _read(text: str, config_path: Path, scratch: Path, speed: float) -> Reading:
    """Have a fresh server speak `text` to a reader that takes at most `speed` seconds of audio a second."""
    delivered, taken_s = [], 0.0
    buffer_bytes = None if speed == float("inf") else _SLOW_BUFFER_BYTES
    with started(ours(config_path), scratch) as server:
        pids = [server.pid, *server.wait_workers(usable_cores())]

        def sample() -> Sample:
            master, *workers = map(memory_of, pids)
            pss_bytes = sum_of([master, *workers]).pss_bytes
            return Sample(time.perf_counter(), pss_bytes, max(worker.uss_bytes for worker in workers))

        time.sleep(SETTLE_S)
        with sampled(sample, _LONGTEXT_SAMPLE_EVERY_S) as samples:
            started_s = time.perf_counter()
            for delivery in deliveries(server.port, ask_ours(text, seed=0, stream=True), buffer_bytes=buffer_bytes):
                delivered.append(delivery)
                taken_s += delivery.audio_s
                time.sleep(max(0.0, taken_s / speed - (time.perf_counter() - started_s)))
    return Reading(started_s, tuple(delivered), tuple(samples))


def _memory_values(name: str, reading: Reading) -> Iterable[Value]:
    def pss_mb(from_s: float, to_s: float) -> list[float]:
        return [each.pss_bytes / 1e6 for each in reading.while_hearing(from_s, to_s)]

    end_s, half_s = reading.audio_s - _AHEAD_S, reading.audio_s / 2
    early_mb = statistics.median(pss_mb(_MINUTE_S, 2 * _MINUTE_S))
    late_mb = statistics.median(pss_mb(end_s - _MINUTE_S, end_s))
    later_to_earlier = max(pss_mb(half_s, reading.audio_s)) / max(pss_mb(0.0, half_s))
    yield Value(f"{name}, PSS after a minute", "MB", early_mb)
    yield Value(f"{name}, PSS at the end", "MB", late_mb)
    yield Value(f"{name}, PSS at the end / after a minute", "x", late_mb / early_mb)
    yield Value(f"{name}, PSS at its peak", "MB", max(each.pss_bytes for each in reading.samples) / 1e6)
    yield Value(f"{name}, PSS at its peak, second half / first half", "x", later_to_earlier)
    yield Value(f"{name}, largest USS of a worker", "MB", max(each.largest_uss_bytes for each in reading.samples) / 1e6)
