"""Throughput: seconds of speech a second over HTTP, against Coqui's server, Piper's, and the engine without a server.

As a program, `python -m ops.benchmarks.throughput CONFIG PROCESSES PASSES` is that bare engine: it opens the voices as a server
does, forks, lets every process take the next sentence until none is left, and prints seconds of audio, clock and core time.
"""

import multiprocessing
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.system import heap
from loader.config.settings import load_settings
from loader.voices.catalog import locate_all, open_catalog
from loader.voices.voice import SpeechOptions, Voice

from .report import Report, Run, Value, usable_cores
from .servers import Server, coqui, core_s, ours, piper, program, running, speech_s, started
from .voices import HELLO, SENTENCES, embedded_voice, write_config


class Rate(NamedTuple):
    """Seconds of speech for one second on the clock, and of one core: other work on the machine disturbs that less."""

    clock: float
    core: float


def throughput(run: Run) -> Report:
    """Seconds of speech a second over HTTP, against Coqui's server and Piper's.

    Pairing: in each round every server speaks the same sentences, one after the other; then the bare engine.
    Figures: s/s by the clock and by core second; ours / theirs. Targets, many clients: >= 2.4, >= 1.5; / bare engine >= 0.95.
    """
    voice, cores, passes = embedded_voice(run.scratch), usable_cores(), run.size(2, 1)
    sentences, clients = SENTENCES[: run.size(len(SENTENCES), 4)], 2 * cores
    config_path = write_config(run.scratch, voice.model_path, workers=cores)
    kinds = (ours(config_path), coqui(voice.release), piper())

    def measure(_number: int) -> Iterable[Value]:
        one, many = {}, {}
        for kind in kinds:
            with started(kind, run.scratch / f"{kind.name}.log") as server:
                server.await_ready()
                # Every worker reads its pages in and fills its caches, at the load that follows.
                server.speak_all(SENTENCES[: 2 * clients], clients)
                one[kind.name] = rate(server, sentences, 1)
                many[kind.name] = rate(server, [*sentences] * passes, clients)
        return rate_values(one, many, _bare_rate(config_path, cores, passes, run.scratch))

    return run.report(
        measure,
        f"The embedded voice in all servers, each server alone; {len(sentences)} sentences, closed loop. Ours: {cores} workers. "
        f"Many clients: {clients}.",
        "s/s: seconds of speech for one second on the clock, or by core second where it says so.",
        "Audio is speech: the 10,000 zero samples that Coqui appends to each sentence are not counted.",
        f"Bare engine: the same sentences and seeds in {cores} forked processes, no HTTP.",
    )


def rate(server: Server, texts: Sequence[str], clients: int) -> Rate:
    """Have that many clients take all texts."""
    started_s, started_core_s = time.perf_counter(), core_s(server.pid)
    spoken = server.speak_all(texts, clients)
    took_s, took_core_s = time.perf_counter() - started_s, core_s(server.pid) - started_core_s
    audio_s = sum(speech_s(wav, is_coqui=server.kind.name == "coqui") for wav in spoken)
    return Rate(audio_s / took_s, audio_s / took_core_s)


def _bare_rate(config_path: Path, cores: int, passes: int, scratch: Path) -> Rate:
    # As gunicorn.conf.py sets it: numpy's threads would compete with the engine's.
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    with running(program("throughput", config_path, cores, passes), scratch / "bare.log", environment) as bare:
        audio_s, took_s, took_core_s = (float(word) for word in bare.read().split())
    return Rate(audio_s / took_s, audio_s / took_core_s)


def rate_values(one: dict[str, Rate], many: dict[str, Rate], bare: Rate) -> Iterable[Value]:
    """Return the values of all servers for one client and for many, and of the bare engine."""
    for name, each in many.items():
        yield Value(f"{name}, many clients", "s/s", each.clock)
    yield Value("bare engine", "s/s", bare.clock)
    yield Value("ours / coqui, many clients", "x", many["ours"].clock / many["coqui"].clock, ">= 2.4")
    yield Value("ours / piper, many clients", "x", many["ours"].clock / many["piper"].clock, ">= 1.5")
    yield Value("ours, many clients / bare engine", "x", many["ours"].clock / bare.clock, ">= 0.95")
    for name, each in one.items():
        yield Value(f"{name}, 1 client", "s/s", each.clock)
    yield Value("ours / coqui, 1 client", "x", one["ours"].clock / one["coqui"].clock)
    yield Value("ours / piper, 1 client", "x", one["ours"].clock / one["piper"].clock)
    for clients, rates in (("many clients", many), ("1 client", one)):
        for name, each in rates.items():
            yield Value(f"{name}, {clients}, by core second", "s/s", each.core)
    yield Value("bare engine, by core second", "s/s", bare.core)


def _speak_bare(config_path: str, processes: int, passes: int) -> None:
    """Speak every sentence `passes` times, in that many processes, and print one line."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    settings = load_settings(config_path)
    voice = open_catalog(settings, locate_all(settings)).default
    context = multiprocessing.get_context("fork")
    gate, spoken = context.Barrier(processes + 1), context.SimpleQueue()
    work = (voice, SENTENCES * passes, context.Value("i", 0), gate, spoken)
    for _process in range(processes):
        context.Process(target=_take_sentences, args=work, daemon=True).start()
    gate.wait()
    started_s = time.perf_counter()
    results = [spoken.get() for _process in range(processes)]
    took_s = time.perf_counter() - started_s
    print(sum(audio_s for audio_s, _ in results), took_s, sum(core_s for _, core_s in results), flush=True)


def _take_sentences(voice: Voice, texts: Sequence[str], taken: Any, gate: Any, spoken: Any) -> None:
    """Speak each text that no other process took, with the seed that a client would send."""

    def speak(text: str, seed: int) -> float:
        return sum(window.size for window in voice.speak(text, SpeechOptions(seed))) / voice.sample_rate_hz

    def take() -> int:
        with taken.get_lock():
            taken.value += 1
            return int(taken.value) - 1

    speak(HELLO, 0)
    gate.wait()
    audio_s, started_core_s = 0.0, time.process_time()
    while (index := take()) < len(texts):
        audio_s += speak(texts[index], index)
    spoken.put((audio_s, time.process_time() - started_core_s))


if __name__ == "__main__":
    _speak_bare(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
