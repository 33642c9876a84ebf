"""What four speaking workers hold on each engine, against four native processes."""

from collections.abc import Mapping, Sequence

from .memory import native_spoken, ours_spoken
from .pages import Pages
from .report import Figure, Target, figure
from .sides import ONE_THREAD, Sides
from .texts import SENTENCES

#: The shortest ones; enough that everything speaking needs was touched.
_SENTENCES = tuple(sorted(SENTENCES, key=len)[:6])

_Round = Mapping[str, Pages]


def measure(sides: Sides) -> _Round:
    """Have every worker of every server speak, then four native processes."""
    own = {each.name: ours_spoken(each.server(), _SENTENCES, each.scratch).after for each in sides.ours}
    return {**own, "native": native_spoken(sides.native.release, _SENTENCES, sides.scratch, ONE_THREAD)}


def figures(label: str, rounds: Sequence[_Round]) -> list[Figure]:
    """Return the figures of one voice."""
    found = [
        figure(f"{label}, native, sum of RSS", "MB", rounds, lambda each: each["native"].rss_bytes / 1e6),
        figure(f"{label}, native, sum of PSS", "MB", rounds, lambda each: each["native"].pss_bytes / 1e6),
    ]
    for name in rounds[0]:
        if name != "native":
            found += _against_native(label, name, rounds)
    return found


def _against_native(label: str, name: str, rounds: Sequence[_Round]) -> list[Figure]:
    target = Target("<=", 0.2) if name == "pytorch" else None
    return [
        figure(f"{label}, {name}, sum of PSS", "MB", rounds, lambda r: r[name].pss_bytes / 1e6),
        figure(f"{label}, {name} PSS / native RSS", "x", rounds, lambda r: r[name].pss_bytes / r["native"].rss_bytes, target),
        figure(f"{label}, {name} PSS / native PSS", "x", rounds, lambda r: r[name].pss_bytes / r["native"].pss_bytes, target),
    ]
