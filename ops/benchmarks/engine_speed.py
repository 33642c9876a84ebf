"""How fast each engine speaks with one thread, and how soon its first samples are there."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from .processes import Child, core_s
from .report import Figure, Target, figure
from .sides import Native, Ours, Sides, answer_s
from .texts import HELLO, SENTENCES

#: 4 to 26 words.
_SENTENCES = tuple(SENTENCES[position] for position in (3, 12, 1, 6, 11))
#: More cores than this are more than one thread; a core second is counted in hundredths.
_MOST_CORES = 1.1


@dataclass(frozen=True)
class Speed:
    """One side on every sentence, in their order."""

    #: Seconds of work for one second of audio.
    real_time_factors: tuple[float, ...]
    #: From the text to the first samples.
    first_audio_s: tuple[float, ...]
    #: Core seconds for one second on the clock.
    cores: float
    #: Core seconds for one second of audio, all sentences together; other work on the machine disturbs this less.
    core_factor: float


_Round = Mapping[str, Speed]


def measure(sides: Sides) -> _Round:
    """Have all sides speak every sentence in turn.

    Raises:
        ChildFailedError: a side used more than the one thread it was given.
    """
    with ExitStack() as stack:
        talks = [_Talk(side, stack.enter_context(side.speaker())) for side in sides.all]
        for talk in talks:
            talk.speak(HELLO, 0, soon=False)
        for seed, text in enumerate(_SENTENCES):
            for talk in talks:
                talk.compare(text, seed)
        return {talk.side.name: talk.speed() for talk in talks}


def figures(label: str, rounds: Sequence[_Round]) -> list[Figure]:
    """Return the figures of one voice."""
    names = list(rounds[0])
    return [
        *(figure(f"{label}, {name}, real-time factor", "x", rounds, _median(name, _factors)) for name in names),
        *(figure(f"{label}, {name}, first audio", "s", rounds, _median(name, _first)) for name in names),
        *(figure(f"{label}, {name}, cores while speaking", "x", rounds, _cores(name)) for name in names),
        *(
            figure(f"{label}, native / {name}, real-time factor", "x", rounds, _slower(name),
                   Target(">=", 1.1) if name == "pytorch" else None)
            for name in names if name != "native"
        ),
        *(
            figure(f"{label}, native / {name}, core time", "x", rounds, _costlier(name))
            for name in names if name != "native"
        ),
    ]  # fmt: skip


class _Talk:
    """One process, and what was measured with it so far."""

    def __init__(self, side: Ours | Native, child: Child) -> None:
        self.side, self._child = side, child
        self._factors: list[float] = []
        self._first_s: list[float] = []
        self._took_s = self._core_s = self._audio_s = 0.0

    def speak(self, text: str, seed: int, soon: bool) -> tuple[float, float]:
        """Return the seconds it took and the seconds of audio."""
        started_s = time.perf_counter()
        self.side.say(self._child, text, seed, soon)
        audio_s = answer_s(self._child)
        return time.perf_counter() - started_s, audio_s

    def compare(self, text: str, seed: int) -> None:
        """Measure one sentence: the whole of it, then, where that is sooner, its first window."""
        core_before_s = core_s(self._child.pid)
        took_s, audio_s = self.speak(text, seed, soon=False)
        self._core_s += core_s(self._child.pid) - core_before_s
        self._took_s += took_s
        self._audio_s += audio_s
        self._factors.append(took_s / audio_s)
        # Coqui's API returns nothing before it returns everything.
        self._first_s.append(took_s if isinstance(self.side, Native) else self.speak(text, seed, soon=True)[0])

    def speed(self) -> Speed:
        cores = self._core_s / self._took_s
        if cores > _MOST_CORES:
            raise self._child.failure(f"{self.side.name} was given one thread and used {cores:.2f} cores")
        return Speed(tuple(self._factors), tuple(self._first_s), cores, self._core_s / self._audio_s)


def _factors(speed: Speed) -> tuple[float, ...]:
    return speed.real_time_factors


def _first(speed: Speed) -> tuple[float, ...]:
    return speed.first_audio_s


def _median(name: str, values: Callable[[Speed], tuple[float, ...]]) -> Callable[[_Round], float]:
    return lambda each: statistics.median(values(each[name]))


def _cores(name: str) -> Callable[[_Round], float]:
    return lambda each: each[name].cores


def _costlier(name: str) -> Callable[[_Round], float]:
    return lambda each: each["native"].core_factor / each[name].core_factor


def _slower(name: str) -> Callable[[_Round], float]:
    """Return by how much native is slower: sentence by sentence, since those follow each other closely."""

    def ratio(each: _Round) -> float:
        pairs = zip(each["native"].real_time_factors, each[name].real_time_factors, strict=True)
        return statistics.median(native / own for native, own in pairs)

    return ratio
