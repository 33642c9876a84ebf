"""What Coqui's Korean phonemizer lacks: the same phonemes in every process."""

from collections.abc import Iterable, Mapping
from typing import Any


def prepare(_module: Any, _files: Mapping[str, Any]) -> None:
    """Have ko_speech_tools replace words and numbers in one order, the longest first.

    It walks a set, whose order each process draws anew: "he" may be replaced before or
    inside "hello", and 3 inside 13. Where no word is part of another this changes nothing.
    """
    from ko_speech_tools.g2p import english, numerals

    modules: tuple[Any, ...] = (english, numerals)
    for module in modules:
        # Hides the builtin from that module alone.
        module.set = _longest_first


def _longest_first(found: Iterable[Any]) -> list[Any]:
    return sorted(set(found), key=lambda item: (-len("".join(item)), item))
