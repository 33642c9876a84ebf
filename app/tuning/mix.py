"""What is asked for while measuring: texts, how often each, and how."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.tuning.quantities import BadQuantityError

_MOST_TEXTS = 100_000
_LEAST_WEIGHT, _MOST_WEIGHT = 0.001, 1000.0
#: Streamed, as first audio is to be timed; a seed makes a text the same work every time.
_DEFAULTS: Mapping[str, Any] = {"response_format": "wav", "stream": True, "seed": 1}

#: A short answer, a sentence, two, a paragraph: what people have read to them, in plain English, of 17 to 428 characters.
_BUILTIN = (
    "Your tea is ready.",
    "Turn left at the next crossing.",
    "It is a quarter past seven, and the heating is on.",
    "You have two new messages, and one of them is from your sister.",
    "The train to the coast leaves from platform nine in about eleven minutes.",
    "Tomorrow starts cloudy with a little rain in the west, but by noon the sun comes through everywhere.",
    "I have moved your appointment to Thursday at three. If that does not suit you, say so, and I look for another day.",
    "Peel the potatoes while the water heats up, cut them into quarters, and let them boil for twenty minutes with a pinch "
    "of salt. Keep a cup of the water: it goes into the sauce.",
    "The council voted last night to keep the old swimming pool open for another year. Repairs begin in spring. Until then "
    "the small basin stays closed on weekdays, and swimmers are asked to use the entrance behind the school.",
    "When the lighthouse was built, nobody lived on the island but a shepherd and his dog. Ships passed far out and saw "
    "nothing at night but stars. The first keeper stayed for thirty years. He painted the stairs every summer, wrote down "
    "the weather twice a day, and never once let the lamp go out. After him came a machine, which needs no stairs, "
    "and the shepherd's grandchildren sell postcards of the tower to visitors.",
)


@dataclass(frozen=True)
class Line:
    """One text of a mix."""

    #: The body of `POST /v1/audio/speech`.
    body: Mapping[str, Any]
    #: How often it is asked for, relative to the others.
    weight: float = 1.0

    @property
    def characters(self) -> int:
        """Length of the text."""
        return len(self.body["input"])


@dataclass(frozen=True)
class Mix:
    """What clients ask for."""

    name: str
    lines: tuple[Line, ...] = field(repr=False)

    def drawn(self, seed: int) -> Iterator[Line]:
        """Yield lines without end, the same for the same seed."""
        # Not the bare seed: the gaps between arrivals are drawn by that, and long texts would come after long gaps.
        draw, weights = random.Random(f"texts {seed}"), [line.weight for line in self.lines]
        while True:
            yield from draw.choices(self.lines, weights, k=64)

    def long(self, characters: int) -> Line:
        """Return all texts, over and over, cut to that many characters, asked for as one whole file: what takes most memory."""
        text = ""
        while len(text) < characters:
            text += " ".join(line.body["input"] for line in self.lines) + " "
        return Line({**self.lines[0].body, "input": text[:characters].strip(), "stream": False})


def builtin_mix() -> Mix:
    """Return ten English texts, each as often as the others."""
    return Mix("builtin", tuple(Line({**_DEFAULTS, "input": text}) for text in _BUILTIN))


def read_mix(path: Path) -> Mix:
    """Read a file with a text a line, or a JSON object with `input`, perhaps `weight`, and other fields of the endpoint.

    Raises:
        BadQuantityError: a line is neither, or there is none; the message names the line.
    """
    try:
        written = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadQuantityError(f"{path}: the mix cannot be read: {error}") from error
    lines = tuple(_line(path, number, text) for number, text in enumerate(written, 1) if text.strip())
    if not 1 <= len(lines) <= _MOST_TEXTS:
        raise BadQuantityError(f"{path}: holds {len(lines)} texts, expected 1 to {_MOST_TEXTS}, one a line")
    return Mix(str(path), lines)


def _line(path: Path, number: int, written: str) -> Line:
    where = f"{path}:{number}"
    if not written.lstrip().startswith("{"):
        return Line({**_DEFAULTS, "input": written.strip()})
    try:
        fields = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise BadQuantityError(f"{where}: begins like JSON and is none: {error}") from error
    text, weight = fields.get("input"), fields.pop("weight", 1)
    if not isinstance(text, str) or not text.strip():
        raise BadQuantityError(f'{where}: expected a text in "input", found {text!r:.60}')
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
        raise BadQuantityError(f'{where}: "weight" is {weight!r:.60}, expected {_LEAST_WEIGHT:g} to {_MOST_WEIGHT:g}')
    return Line({**_DEFAULTS, **fields}, float(weight))
