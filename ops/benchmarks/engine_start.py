"""From exec to ready and to having spoken: a server on each engine, against a native process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .report import Figure, Target, figure
from .servers import started
from .sides import Native, Ours, Sides, answer_s
from .texts import HELLO


@dataclass(frozen=True)
class Start:
    """Seconds from exec; a native process is ready when it has spoken, for nobody can ask it before."""

    ready_s: float
    spoken_s: float


_Round = Mapping[str, Start]


def measure(sides: Sides) -> _Round:
    """Start every side once."""
    return {**{each.name: _server(each) for each in sides.ours}, sides.native.name: _native(sides.native)}


def figures(label: str, rounds: Sequence[_Round]) -> list[Figure]:
    """Return the figures of one voice."""
    found = [figure(f"{label}, native, exec to spoken", "s", rounds, lambda each: each["native"].spoken_s)]
    for name in rounds[0]:
        if name != "native":
            found += _against_native(label, name, rounds)
    return found


def _against_native(label: str, name: str, rounds: Sequence[_Round]) -> list[Figure]:
    target = Target(">=", 2.5) if name == "pytorch" else None
    return [
        figure(f"{label}, {name}, exec to ready", "s", rounds, lambda r: r[name].ready_s),
        figure(f"{label}, {name}, exec to spoken", "s", rounds, lambda r: r[name].spoken_s),
        figure(f"{label}, native spoken / {name} ready", "x", rounds, lambda r: r["native"].spoken_s / r[name].ready_s, target),
        figure(f"{label}, native spoken / {name} spoken", "x", rounds, lambda r: r["native"].spoken_s / r[name].spoken_s),
    ]


def _server(side: Ours) -> Start:
    with started(side.server(), side.scratch / "server.log") as server:
        ready_s = server.await_ready()
        server.speak(HELLO)
        return Start(ready_s, server.child.since_start_s())


def _native(side: Native) -> Start:
    with side.speaker() as child:
        side.say(child, HELLO, 0, soon=False)
        answer_s(child)
        spoken_s = child.since_start_s()
        return Start(spoken_s, spoken_s)
