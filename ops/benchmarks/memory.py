"""What speaking costs in memory: this server against native processes, idle, and with a long text."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import psutil

from .pages import Pages, pages_together, peak_pss
from .processes import conversing, hear, say
from .report import Figure, Report, Target, figure, progress
from .servers import Kind, Server, ours, started
from .texts import SENTENCES, SHORT_TEXT, long_text
from .voices import Measured, embedded_voice, large_voice, write_config
from .waves import speech_s

_WORKERS = 4
#: The shortest ones: what counts is that everything needed to speak was touched often.
_SENTENCES = tuple(sorted(SENTENCES, key=len)[:20])
#: The embedded voice speaks about 17 characters a second; this is a little over five minutes.
_LONG_CHARACTERS = 5300
#: Clients at once, pass by pass: few, as a thread's leftovers count, then more until every worker was reached.
_CLIENTS = (4,) * 6 + (8,) * 6 + (16,) * 12
#: How long a worker may take from its fork, or from its answer's last byte, to waiting for requests.
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Spoken:
    """This server before and after every worker spoke."""

    #: Of each worker before any request.
    idle_uss_bytes: tuple[int, ...]
    #: Master and workers, before and after.
    idle: Pages
    after: Pages
    #: Of each worker after speaking.
    worker_uss_bytes: tuple[int, ...]


@dataclass(frozen=True)
class OneText:
    """A fresh server after a single text."""

    audio_s: float
    pss_bytes: int
    #: Largest value while it spoke, sampled.
    peak_pss_bytes: int


@dataclass(frozen=True)
class Round:
    """Everything once."""

    ours: Spoken
    native: Pages
    short: OneText
    long: OneText


def memory(rounds: int, scratch: Path) -> Report:
    """PSS of master and workers after speaking, against native processes."""
    large, embedded = large_voice(scratch), embedded_voice(scratch)
    measured = [_round(number, large, embedded, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"Ours: master and {_WORKERS} workers after each worker spoke at least {len(_SENTENCES)} sentences.",
    f"Native: {_WORKERS} processes that each spoke the same sentences, all alive at once. LJSpeech's size.",
    "Short and long text: the embedded voice, a fresh server each, one request for a whole WAV file.",
)


def _round(number: int, large: Measured, embedded: Measured, scratch: Path) -> Round:
    progress(f"round {number}: our workers speak")
    spoken = ours_spoken(ours(write_config(scratch, large.model_path, _WORKERS)), _SENTENCES, scratch)
    progress(f"round {number}: ours {_mb(spoken.after.pss_bytes):.0f} MB of PSS; native processes speak")
    native = native_spoken(large.release, _SENTENCES, scratch)
    progress(f"round {number}: native {_mb(native.rss_bytes):.0f} MB of RSS; short and long text")
    short = _one_text(embedded, SHORT_TEXT, scratch)
    return Round(spoken, native, short, _one_text(embedded, long_text(_LONG_CHARACTERS), scratch))


def ours_spoken(server_kind: Kind, sentences: Sequence[str], scratch: Path) -> Spoken:
    """Start a server of 4 workers, have each speak at least as many sentences as given, and end it."""
    with started(server_kind, scratch / "ours.log") as server:
        workers = untouched_workers(server, _WORKERS)
        idle_uss_bytes, idle = _uss_of(workers), pages_together(server.processes())
        speak_until_each_has(sentences, server, workers)
        time.sleep(_SETTLE_S)
        return Spoken(idle_uss_bytes, idle, pages_together(server.processes()), _uss_of(workers))


def untouched_workers(server: Server, count: int, within_s: float = 60.0) -> list[int]:
    """Wait for all workers of our server, whose log is JSON, without asking any; return their process ids.

    Raises:
        ChildFailedError: the time is up.
    """
    while server.child.since_start_s() < within_s:
        workers = _started_workers(server.child.log)
        if len(workers) == count:
            time.sleep(_SETTLE_S)
            return workers
        time.sleep(0.05)
    raise server.child.failure(f"no {count} workers after {within_s:.0f} s")


def _started_workers(log: Path) -> list[int]:
    """Return the workers the log says were forked; a bake child never is in it."""
    booted = [line.get("msg", "") for line in _lines(log)]
    return [int(message.rpartition(" ")[2]) for message in booted if message.startswith("Booting worker with pid")]


def speak_until_each_has(sentences: Sequence[str], server: Server, workers: Sequence[int]) -> None:
    """Have every worker of our server, whose log is JSON, speak at least as many sentences as given.

    Raises:
        ChildFailedError: a worker was not reached.
    """
    least, texts = len(sentences), cycle(sentences)
    for clients in _CLIENTS:
        # A pass too small to reach all workers says nothing about any of them.
        server.speak_all(list(islice(texts, max(least, clients))), clients)
        counts = _sentences_by_worker(server.child.log)
        progress(f"  {clients} clients, sentences by worker: {[counts[worker] for worker in workers]}")
        if all(counts[worker] >= least for worker in workers):
            return
    raise server.child.failure(f"a worker was not given {least} sentences")


def _sentences_by_worker(log: Path) -> Mapping[int, int]:
    return Counter(int(line["pid"]) for line in _lines(log) if line.get("event") == "speech.done")


def _lines(log: Path) -> list[dict[str, str]]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def _uss_of(workers: Sequence[int]) -> tuple[int, ...]:
    """Return the memory that each worker has for itself, with the processes that read text for it."""
    families = ([pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))] for pid in workers)
    return tuple(pages_together(family).uss_bytes for family in families)


def native_spoken(
    release: Path, sentences: Sequence[str], scratch: Path, environment: Mapping[str, str] | None = None
) -> Pages:
    """Have 4 native processes speak the sentences, all alive at once."""
    command = [sys.executable, "-m", "ops.benchmarks.native", str(release)]
    with ExitStack() as stack:
        logs = [scratch / f"native-{number}.log" for number in range(_WORKERS)]
        children = [stack.enter_context(conversing(command, log, environment)) for log in logs]
        # One after the other: together, torch's threads would fight for the cores for many minutes.
        for child in children:
            say(child, sentences)
            for _sentence in sentences:
                hear(child)
        return pages_together(child.pid for child in children)


def _one_text(voice: Measured, text: str, scratch: Path) -> OneText:
    limits = {"text_characters": 100_000}
    config_path = write_config(scratch, voice.model_path, _WORKERS, limits=limits)
    with started(ours(config_path), scratch / "ours.log") as server:
        server.await_ready()
        pids = server.processes()
        with peak_pss(pids) as samples:
            audio = server.speak(text)
            time.sleep(_SETTLE_S)
        return OneText(speech_s(audio), pages_together(pids).pss_bytes, max(samples))


def _mb(size_bytes: float) -> float:
    return size_bytes / 1e6


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (*_side_by_side(rounds), *_by_length(rounds))


def _side_by_side(rounds: list[Round]) -> tuple[Figure, ...]:
    at_most = Target("<=", 0.08)
    return (
        figure("ours, sum of PSS", "MB", rounds, lambda each: _mb(each.ours.after.pss_bytes)),
        figure("native, sum of RSS", "MB", rounds, lambda each: _mb(each.native.rss_bytes)),
        figure("native, sum of PSS", "MB", rounds, lambda each: _mb(each.native.pss_bytes)),
        figure("ours PSS / native RSS", "x", rounds, lambda r: r.ours.after.pss_bytes / r.native.rss_bytes, at_most),
        figure("ours PSS / native PSS", "x", rounds, lambda r: r.ours.after.pss_bytes / r.native.pss_bytes),
        figure("ours idle, sum of PSS", "MB", rounds, lambda each: _mb(each.ours.idle.pss_bytes)),
        figure("ours idle, largest USS of a worker", "MB", rounds, lambda r: _mb(max(r.ours.idle_uss_bytes)),
               Target("<=", 5)),
        figure("ours after, largest USS of a worker", "MB", rounds, lambda r: _mb(max(r.ours.worker_uss_bytes))),
    )  # fmt: skip


def _by_length(rounds: list[Round]) -> tuple[Figure, ...]:
    at_most = Target("<=", 1.3)
    return (
        figure("short text, audio", "s", rounds, lambda each: each.short.audio_s),
        figure("long text, audio", "s", rounds, lambda each: each.long.audio_s),
        figure("short text, sum of PSS after", "MB", rounds, lambda each: _mb(each.short.pss_bytes)),
        figure("long text, sum of PSS after", "MB", rounds, lambda each: _mb(each.long.pss_bytes)),
        figure("long text, sum of PSS at its peak", "MB", rounds, lambda each: _mb(each.long.peak_pss_bytes)),
        figure("long / short, PSS after", "x", rounds, lambda r: r.long.pss_bytes / r.short.pss_bytes, at_most),
        figure("long / short, PSS at its peak", "x", rounds, lambda r: r.long.peak_pss_bytes / r.short.peak_pss_bytes),
    )
