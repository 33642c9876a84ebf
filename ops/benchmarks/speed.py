"""Speed over HTTP beside Coqui's server and Piper's: first audio and whole answers of one client, throughput of many.

As a program, `python -m ops.benchmarks.speed CONFIG PROCESSES PASSES` is the bare engine of `throughput`: it opens the voices as
a server does, forks, lets every process take the next sentence until none is left, and prints seconds of audio, clock and core
time.
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from app.tuning.loadgen import Request
from loader.voices.voice import SpeechOptions, Voice

from .clients import deliveries, playback
from .memory import speak_by_every_worker
from .report import Measure, Run, Value
from .servers import Kind, Server, ask_ours, coqui, core_s, ours, piper, program, serving, speech_s, usable_cores
from .voices import BY_WORDS, HELLO, SENTENCES, embedded_voice, large_voice, open_voice

#: Before each request. Threads of libraries spin for a while after work, and ours returns free memory.
_IDLE_S = 0.5
#: Words of the text that the targets are for.
_SENTENCE = 30
_CLIENTS_PER_CORE = 2
_LOAD_PASSES = 2


class Heard(NamedTuple):
    """One side on one text, in seconds."""

    #: From just before connecting.
    first_audio_s: float
    whole_s: float
    audio_s: float
    #: The longest silence for a listener who plays in real time from the first byte.
    stall_s: float


class Rate(NamedTuple):
    """Seconds of speech for one second on the clock, and of one core: other work on the machine disturbs that less."""

    clock: float
    core: float


#: A server, and how it is asked for a text with a seed.
_Side = tuple[Server, Callable[[str, int], Request]]


def latency(run: Run) -> Measure:
    """Time to the first audio and to all of it, one client, against Coqui's and Piper's.

    Servers with a worker a core, warmed by the same texts, otherwise idle. Ours streams, or, unstreamed, answers with a whole
    file, as Coqui and Piper do. Load: 2 clients a core take all sentences twice, whole files.
    Pairing: the sides answer the same text in turn; under load, servers with parallel windows and without in turn.
    Figures: ms, medians of 5 a round; ours / theirs. First audio: the first byte after the WAV header. Longest stall: for a
    listener who plays in real time from the first byte. Audio: what each makes of the text; Coqui's includes the 10,000 zero
    samples that it appends to every sentence. s/s: seconds of speech a second, medians of 3 a round.
    Targets, 30 words: first audio <= 0.15 and 0.3, whole <= 0.5 and 0.75; large, first audio / whole <= 0.2; load, parallel /
    not parallel >= 0.97.
    """
    cores, repetitions, turns = usable_cores(), run.size(5, 1), run.size(3, 1)
    embedded, large, sentence = embedded_voice(run), large_voice(run), {_SENTENCE: BY_WORDS[_SENTENCE]}
    sides = (ours(embedded.write_config(run.folder("embedded"), cores)), coqui(embedded.release), piper())
    large_side = ours(large.write_config(run.folder("large"), cores))
    loads = {
        is_on: ours(embedded.write_config(run.folder(name), cores, speech={"parallel": is_on}), name=name)
        for is_on, name in ((True, "parallel"), (False, "sequential"))
    }
    loaded = SENTENCES[: run.size(len(SENTENCES), 4)] * _LOAD_PASSES

    def measure(_number: int) -> Iterable[Value]:
        for words, heard in _hear_all(run, sides, run.size(BY_WORDS, sentence), repetitions).items():
            yield from embedded_values(words, heard)
        yield from large_values(_hear_all(run, [large_side], sentence, repetitions)[_SENTENCE])
        yield from load_values(_rates_in_turn(run, loads, loaded, turns))

    return measure


def _hear_all(run: Run, kinds: Sequence[Kind], texts: Mapping[int, str], repetitions: int) -> dict[int, dict[str, Heard]]:
    """Return, by number of words and by side, the medians of several requests."""
    with ExitStack() as stack:
        asks: dict[str, _Side] = {}
        for kind in kinds:
            server = stack.enter_context(serving(kind, run.scratch))
            if kind.name == "ours":
                asks["ours"] = (server, partial(ask_ours, stream=True))
                asks["ours unstreamed"] = (server, partial(ask_ours, stream=False))
            else:
                asks[kind.name] = (server, kind.ask)
        # Every process that may answer speaks all texts, so that none reads a page or fills a cache later.
        ours_server = asks["ours"][0]
        speak_by_every_worker(list(texts.values()), ours_server, ours_server.wait_workers(usable_cores()))
        for text in texts.values():
            for server, ask in asks.values():
                _hear(server, ask(text, 0))
        return {words: _hear_in_turn(asks, text, repetitions) for words, text in texts.items()}


def _hear_in_turn(asks: Mapping[str, _Side], text: str, repetitions: int) -> dict[str, Heard]:
    heard: dict[str, list[Heard]] = {name: [] for name in asks}
    for seed in range(repetitions):
        for name, (server, ask) in asks.items():
            time.sleep(_IDLE_S)
            heard[name].append(_hear(server, ask(text, seed)))
    return {name: Heard(*map(statistics.median, zip(*each, strict=True))) for name, each in heard.items()}


def _hear(server: Server, request: Request) -> Heard:
    delivered = list(deliveries(server.port, request))
    audio_s = sum(each.audio_s for each in delivered)
    return Heard(delivered[0].first_byte_s, delivered[-1].complete_s, audio_s, playback(delivered).longest_stall_s)


def embedded_values(words: int, heard: Mapping[str, Heard]) -> Iterable[Value]:
    """Return the values of all sides on one text, and ours over theirs."""
    for side in ("ours", "coqui", "piper"):
        yield Value(f"{words} words, {side}, first audio", "ms", 1000 * heard[side].first_audio_s)
    for side in ("ours", "ours unstreamed", "coqui", "piper"):
        yield Value(f"{words} words, {side}, whole", "ms", 1000 * heard[side].whole_s)
    yield Value(f"{words} words, ours, longest stall", "ms", 1000 * heard["ours"].stall_s)
    for side in ("ours", "coqui", "piper"):
        yield Value(f"{words} words, {side}, audio", "s", heard[side].audio_s)
    for other, first_bound, whole_bound in (("coqui", 0.15, 0.5), ("piper", 0.3, 0.75)):
        first = heard["ours"].first_audio_s / heard[other].first_audio_s
        whole = heard["ours"].whole_s / heard[other].whole_s
        has_targets = words == _SENTENCE
        yield Value(f"{words} words, ours / {other}, first audio", "x", first, f"<= {first_bound}" if has_targets else "")
        yield Value(f"{words} words, ours / {other}, whole", "x", whole, f"<= {whole_bound}" if has_targets else "")


def large_values(heard: Mapping[str, Heard]) -> Iterable[Value]:
    """Return the values of ours, and first audio over the whole."""
    label, own = f"large, {_SENTENCE} words, ours", heard["ours"]
    yield Value(f"{label}, first audio", "ms", 1000 * own.first_audio_s)
    yield Value(f"{label}, whole", "ms", 1000 * own.whole_s)
    yield Value(f"{label}, longest stall", "ms", 1000 * own.stall_s)
    yield Value(f"{label} unstreamed, whole", "ms", 1000 * heard["ours unstreamed"].whole_s)
    yield Value(f"{label}, audio", "s", own.audio_s)
    yield Value(f"{label}, first audio / whole", "x", own.first_audio_s / own.whole_s, "<= 0.2")


def _rates_in_turn(run: Run, kinds: Mapping[bool, Kind], texts: Sequence[str], turns: int) -> dict[bool, Rate]:
    """Return the medians of several turns with parallel windows and without, for more clients than cores."""
    clients = _CLIENTS_PER_CORE * usable_cores()
    rates: dict[bool, list[Rate]] = {is_on: [] for is_on in kinds}
    with ExitStack() as stack:
        servers = {is_on: stack.enter_context(serving(kind, run.scratch)) for is_on, kind in kinds.items()}
        for server in servers.values():
            server.speak_all(SENTENCES[: 2 * clients], clients)
        for _turn in range(turns):
            for is_on, server in servers.items():
                rates[is_on].append(_rate(server, texts, clients))
    return {is_on: Rate(*map(statistics.median, zip(*each, strict=True))) for is_on, each in rates.items()}


def load_values(rates: Mapping[bool, Rate]) -> Iterable[Value]:
    """Return throughput with parallel windows, without, and the ratio."""
    yield Value("load, ours, parallel", "s/s", rates[True].clock)
    yield Value("load, ours, not parallel", "s/s", rates[False].clock)
    yield Value("load, ours, parallel, by core second", "s/s", rates[True].core)
    yield Value("load, ours, not parallel, by core second", "s/s", rates[False].core)
    yield Value("load, parallel / not parallel", "x", rates[True].clock / rates[False].clock, ">= 0.97")


def throughput(run: Run) -> Measure:
    """Seconds of speech a second over HTTP, against Coqui's server and Piper's.

    The embedded voice in all servers, each server alone, closed loop. Ours: a worker a core. Many clients: 2 a core. Bare engine:
    the same sentences and seeds in a process a core, no HTTP.
    Pairing: in each round every server speaks the same sentences, one after the other; then the bare engine.
    Figures: s/s by the clock and by core second, without the 10,000 zero samples that Coqui appends to each sentence; ours /
    theirs. Targets, many clients: >= 2.4, >= 1.5; / bare engine >= 0.95.
    """
    voice, cores, passes = embedded_voice(run), usable_cores(), run.size(2, 1)
    sentences, clients = SENTENCES[: run.size(len(SENTENCES), 4)], _CLIENTS_PER_CORE * cores
    config_path = voice.write_config(run.scratch, cores)

    def measure(_number: int) -> Iterable[Value]:
        one, many = {}, {}
        for kind in (ours(config_path), coqui(voice.release), piper()):
            with serving(kind, run.scratch) as server:
                # Every worker reads its pages in and fills its caches, at the load that follows.
                server.speak_all(SENTENCES[: 2 * clients], clients)
                one[kind.name] = _rate(server, sentences, 1)
                many[kind.name] = _rate(server, [*sentences] * passes, clients)
        # As gunicorn.conf.py sets it: numpy's threads would compete with the engine's.
        environment = {"OPENBLAS_NUM_THREADS": "1"}
        with program(run.scratch, "speed", config_path, cores, passes, environment=environment) as bare:
            audio_s, took_s, took_core_s = map(float, bare.read().split())
        return _throughput_values(one, many, Rate(audio_s / took_s, audio_s / took_core_s))

    return measure


def _rate(server: Server, texts: Sequence[str], clients: int) -> Rate:
    """Have that many clients take all texts."""
    started_s, started_core_s = time.perf_counter(), core_s(server.pid)
    spoken = server.speak_all(texts, clients)
    took_s, took_core_s = time.perf_counter() - started_s, core_s(server.pid) - started_core_s
    audio_s = sum(speech_s(wav, is_coqui=server.kind.name == "coqui") for wav in spoken)
    return Rate(audio_s / took_s, audio_s / took_core_s)


def _throughput_values(one: Mapping[str, Rate], many: Mapping[str, Rate], bare: Rate) -> Iterable[Value]:
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
    voice, context = open_voice(config_path), multiprocessing.get_context("fork")
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
