"""Readings: what is written, and how it may be said, by language and kind. For `ops/bench text` and for tests."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("readings.tsv")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@dataclass(frozen=True)
class Reading:
    """One line of the file."""

    language: str
    written: str
    spoken: tuple[str, ...]
    kind: str

    def accepts(self, text: str) -> bool:
        """Whether `text` has the words of one of the readings; marks, capitals and hyphens do not count."""
        return words(text) in [words(each) for each in self.spoken]


def readings(path: Path = PATH) -> Iterator[Reading]:
    """Yield the lines of a file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            language, written, spoken, kind = line.split("\t")
            yield Reading(language, json.loads('"' + written.replace('"', '\\"') + '"'), tuple(spoken.split("|")), kind)


def words(text: str) -> list[str]:
    """Return the words; Chinese is compared character by character."""
    found = _WORD.findall(text.lower().replace("-", " "))
    return [character for word in found for character in (word if "\u3400" < word[0] < "\u9fff" else [word])]
