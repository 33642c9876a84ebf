"""Latency: time to the first audio and to the last byte for one client, and what parallel windows cost under load."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import click

from app.tuning.loadgen import Request

from .clients import listen, playback
from .memory import speak_by_every_worker
from .report import Report, Run, Value, usable_cores
from .servers import Kind, Server, ask_ours, coqui, ours, piper, started
from .throughput import Rate, rate
from .voices import BY_WORDS, SENTENCES, embedded_voice, large_voice, write_config

_PARTS = ("embedded", "large", "load")
OPTIONS = (
    click.option("--only", multiple=True, default=_PARTS, show_default=True, type=click.Choice(_PARTS),
                 help="What to measure; repeat the option for more."),
)  # fmt: skip

#: Before each request. Threads of libraries spin for a while after work, and ours returns free memory.
_IDLE_S = 0.5
#: The text that the targets are for.
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


_Asks = Mapping[str, tuple[Server, Callable[[str, int], Request]]]


def latency(run: Run, only: tuple[str, ...]) -> Report:
    """Time to the first audio and to all of it, one client, against Coqui's and Piper's.

    Pairing: the sides answer the same text in turn; under load, servers with parallel windows and without in turn.
    Figures: ms; ours / theirs. Targets, 30 words: first audio <= 0.15 and 0.3, whole <= 0.5 and 0.75; large, first audio / whole
    <= 0.2; load, parallel / not parallel >= 0.97.
    """
    cores, repetitions, turns = usable_cores(), run.size(5, 1), run.size(3, 1)
    embedded, large = embedded_voice(run.scratch), large_voice(run.scratch)

    def kind(folder: str, model_path: str, **more: object) -> Kind:
        return ours(write_config(run.folder(folder), model_path, cores, **more))

    sides = (kind("embedded", embedded.model_path), coqui(embedded.release), piper())
    large_side = kind("large", large.model_path)
    loads = {is_on: kind(f"parallel-{is_on}", embedded.model_path, speech={"parallel": is_on}) for is_on in (True, False)}
    loaded = SENTENCES[: run.size(len(SENTENCES), 4)] * _LOAD_PASSES

    def measure(_number: int) -> Iterable[Value]:
        if "embedded" in only:
            for words, heard in _hear_all(run, sides, run.size(BY_WORDS, {_SENTENCE: BY_WORDS[_SENTENCE]}), repetitions).items():
                yield from embedded_values(words, heard)
        if "large" in only:
            yield from large_values(_hear_all(run, [large_side], {_SENTENCE: BY_WORDS[_SENTENCE]}, repetitions)[_SENTENCE])
        if "load" in only:
            yield from load_values(_rates_in_turn(run, loads, loaded, turns))

    return run.report(
        measure,
        f"One client, servers otherwise idle, {_IDLE_S:g} s between requests; texts by number of words, sides in turn, "
        f"medians of {repetitions} a round. Ours: {cores} workers, each warmed by the same texts.",
        "First audio: the first byte after the WAV header's 44. Whole: the last byte. Coqui and Piper send whole files. "
        "Longest stall: for a listener who plays in real time from the first byte.",
        "Ours streams, or, unstreamed, answers with a whole file. Audio: what each makes of the same text; "
        "Coqui's includes the 10,000 zero samples that it appends to every sentence.",
        f"Load: {_CLIENTS_PER_CORE * cores} clients take {len(loaded)} sentences, whole files; speech.parallel on and off in "
        f"turn, medians of {turns} a round. s/s: seconds of speech a second.",
    )


def _hear_all(run: Run, kinds: Sequence[Kind], texts: Mapping[int, str], repetitions: int) -> dict[int, dict[str, Heard]]:
    """Return, by number of words and by side, the medians of several requests."""
    with ExitStack() as stack:
        asks = {}
        for kind in kinds:
            server = stack.enter_context(started(kind, run.scratch / f"{kind.name}.log"))
            server.await_ready()
            asks[kind.name] = (server, partial(ask_ours, stream=True) if kind.name == "ours" else kind.ask)
            if kind.name == "ours":
                asks["ours unstreamed"] = (server, partial(ask_ours, stream=False))
        # Every process that may answer speaks all texts, so that none reads a page or fills a cache later.
        ours_server = asks["ours"][0]
        speak_by_every_worker(list(texts.values()), ours_server, ours_server.await_workers(usable_cores()))
        for text in texts.values():
            for server, ask in asks.values():
                _hear(server, ask(text, 0))
        return {words: _hear_in_turn(asks, text, repetitions) for words, text in texts.items()}


def _hear_in_turn(asks: _Asks, text: str, repetitions: int) -> dict[str, Heard]:
    heard: dict[str, list[Heard]] = {name: [] for name in asks}
    for seed in range(repetitions):
        for name, (server, ask) in asks.items():
            time.sleep(_IDLE_S)
            heard[name].append(_hear(server, ask(text, seed)))
    return {name: Heard(*map(statistics.median, zip(*each, strict=True))) for name, each in heard.items()}


def _hear(server: Server, request: Request) -> Heard:
    delivered = list(listen(server, request))
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
        servers = {
            is_on: stack.enter_context(started(kind, run.scratch / f"parallel-{is_on}.log")) for is_on, kind in kinds.items()
        }
        for server in servers.values():
            server.await_ready()
            server.speak_all(SENTENCES[: 2 * clients], clients)
        for _turn in range(turns):
            for is_on, server in servers.items():
                rates[is_on].append(rate(server, texts, clients))
    return {is_on: Rate(*map(statistics.median, zip(*each, strict=True))) for is_on, each in rates.items()}


def load_values(rates: Mapping[bool, Rate]) -> Iterable[Value]:
    """Return throughput with parallel windows, without, and the ratio."""
    yield Value("load, ours, parallel", "s/s", rates[True].clock)
    yield Value("load, ours, not parallel", "s/s", rates[False].clock)
    yield Value("load, ours, parallel, by core second", "s/s", rates[True].core)
    yield Value("load, ours, not parallel, by core second", "s/s", rates[False].core)
    yield Value("load, parallel / not parallel", "x", rates[True].clock / rates[False].clock, ">= 0.97")
