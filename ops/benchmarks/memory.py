"""Memory of speaking: this server against native processes, idle workers, and a long text against a short one."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from app.scoreboard.snapshot import snapshot
from app.system.processes import ProcessMemory, memory_of, memory_of_tree, sampled, sum_of

from .report import Report, Run, Value, progress
from .servers import SETTLE_S, Kind, Server, native_speaker, ours, running, speech_s, started
from .voices import SENTENCES, SHORT_TEXT, embedded_voice, large_voice, long_text, write_config

WORKERS = 4
#: The embedded voice speaks about 17 characters a second; this is a little over five minutes.
_LONG_CHARACTERS = 5300
_SAMPLE_EVERY_S = 0.05
#: Clients at once, pass by pass: few, since what a thread leaves behind counts, then more until every worker was reached.
_CLIENTS = (4,) * 6 + (8,) * 6 + (16,) * 12


@dataclass(frozen=True)
class Spoken:
    """This server before any request, and after every worker spoke."""

    idle: ProcessMemory
    after: ProcessMemory
    #: USS of each worker, with the processes that read text for it.
    idle_uss_bytes: tuple[int, ...]
    uss_bytes: tuple[int, ...]


def memory(run: Run) -> Report:
    """PSS of master and workers after speaking, against native processes.

    Pairing: in each round ours speaks, then 4 native processes the same sentences; then a short and a long text by ours.
    Figures: MB; ours PSS / native RSS, long / short text. Targets: <= 0.08, <= 1.3; an idle worker's USS <= 5 MB.
    """
    large, embedded = large_voice(run.scratch), embedded_voice(run.scratch)
    # The shortest ones: what counts is that everything that speaking needs was touched often.
    sentences = sorted(SENTENCES, key=len)[: run.size(20, 2)]

    def measure(_number: int) -> Iterable[Value]:
        own = speak_by_ours(ours(write_config(run.scratch, large.model_path, WORKERS)), sentences, run.scratch)
        native = speak_by_native(large.release, sentences, run.scratch)
        kind = ours(write_config(run.scratch, embedded.model_path, WORKERS, limits={"text_characters": 100_000}))
        short = _speak_one_text(kind, SHORT_TEXT, run.scratch)
        long = _speak_one_text(kind, long_text(run.size(_LONG_CHARACTERS, 1000)), run.scratch)
        yield Value("ours, sum of PSS", "MB", own.after.pss_bytes / 1e6)
        yield Value("native, sum of RSS", "MB", native.rss_bytes / 1e6)
        yield Value("native, sum of PSS", "MB", native.pss_bytes / 1e6)
        yield Value("ours PSS / native RSS", "x", own.after.pss_bytes / native.rss_bytes, "<= 0.08")
        yield Value("ours PSS / native PSS", "x", own.after.pss_bytes / native.pss_bytes)
        yield Value("ours idle, sum of PSS", "MB", own.idle.pss_bytes / 1e6)
        yield Value("ours idle, largest USS of a worker", "MB", max(own.idle_uss_bytes) / 1e6, "<= 5")
        yield Value("ours after, largest USS of a worker", "MB", max(own.uss_bytes) / 1e6)
        for name, (audio_s, after_bytes, peak_bytes) in (("short", short), ("long", long)):
            yield Value(f"{name} text, audio", "s", audio_s)
            yield Value(f"{name} text, sum of PSS after", "MB", after_bytes / 1e6)
            yield Value(f"{name} text, sum of PSS at its peak", "MB", peak_bytes / 1e6)
        yield Value("long / short, PSS after", "x", long[1] / short[1], "<= 1.3")
        yield Value("long / short, PSS at its peak", "x", long[2] / short[2])

    return run.report(
        measure,
        f"Ours: master and {WORKERS} workers after each worker spoke at least {len(sentences)} sentences.",
        f"Native: {WORKERS} processes that each spoke the same sentences, all alive at once. LJSpeech's size.",
        "Short and long text: the embedded voice, a fresh server each, one request for a whole WAV file.",
    )


def speak_by_ours(server_kind: Kind, sentences: Sequence[str], scratch: Path) -> Spoken:
    """Start a server of 4 workers, have each speak at least as many sentences as given, and end it."""
    with started(server_kind, scratch / "ours.log") as server:
        workers = server.await_workers(WORKERS)
        time.sleep(SETTLE_S)
        idle, idle_uss_bytes = total_memory(server), _uss_of(workers)
        speak_by_every_worker(sentences, server, workers)
        time.sleep(SETTLE_S)
        return Spoken(idle, total_memory(server), idle_uss_bytes, _uss_of(workers))


def speak_by_every_worker(sentences: Sequence[str], server: Server, workers: Sequence[int]) -> None:
    """Have every worker of our server speak at least as many texts as given.

    Raises:
        ServerFailedError: a worker was not reached.
    """
    texts, board = cycle(sentences), server.board()
    before = {each.pid: each.speeches for each in snapshot(board).workers}
    for clients in _CLIENTS:
        # A pass too small to reach all workers says nothing about any of them.
        server.speak_all(list(islice(texts, max(len(sentences), clients))), clients)
        spoken = [each.speeches - before.get(each.pid, 0) for each in snapshot(board).workers if each.pid in workers]
        progress(f"  {clients} clients, texts by worker: {spoken}")
        if min(spoken) >= len(sentences):
            return
    raise server.launched.failure(f"a worker did not get {len(sentences)} texts")


def speak_by_native(
    release: Path, sentences: Sequence[str], scratch: Path, environment: Mapping[str, str] | None = None
) -> ProcessMemory:
    """Have 4 native processes speak the sentences, all alive at once."""
    with ExitStack() as stack:
        logs = [scratch / f"native-{number}.log" for number in range(WORKERS)]
        natives = [stack.enter_context(running(native_speaker(release), log, environment)) for log in logs]
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
    with started(kind, scratch / "ours.log") as server:
        server.await_ready()
        with sampled(lambda: total_memory(server).pss_bytes, _SAMPLE_EVERY_S) as samples:
            audio = server.speak(text)
            time.sleep(SETTLE_S)
        return speech_s(audio), total_memory(server).pss_bytes, max(samples)
