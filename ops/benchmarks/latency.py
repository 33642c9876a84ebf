"""How soon audio starts, and when all of it is there: one client, an idle server, ours against Coqui's and Piper's."""

from pathlib import Path

from . import latency_load, latency_texts
from .parts import choice, report_of
from .report import Report

_PARTS = {
    "embedded": latency_texts.embedded,
    "large": latency_texts.large,
    "load": latency_load.load,
}
#: What may be left out, so that one part can be repeated.
OPTIONS = (choice("--only", tuple(_PARTS), "What to measure; repeat the option for more."),)


def latency(rounds: int, scratch: Path, only: tuple[str, ...]) -> Report:
    """Time to the first audio and to all of it, one client, against Coqui's server and Piper's."""
    parts = {}
    for name in only:
        folder = scratch / name
        folder.mkdir()
        parts[name] = _PARTS[name](folder)
    return report_of(parts, rounds)
