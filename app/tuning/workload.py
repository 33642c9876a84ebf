"""Workload: the texts that clients send, with weights and options."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.tuning.loadgen import Request

_MIN_WEIGHT, _MAX_WEIGHT = 0.001, 1000.0
#: Streamed, so that first audio can be timed; a seed makes a text the same work every time.
_DEFAULTS: Mapping[str, Any] = {"response_format": "wav", "stream": True, "seed": 1}

#: A short answer, a sentence, two, a paragraph, in plain English: 17 to 428 characters.
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
class Text:
    """One text of a workload."""

    #: The body of `POST /v1/audio/speech`.
    body: Mapping[str, Any]
    #: Its frequency relative to the others.
    weight: float = 1.0

    @property
    def characters(self) -> int:
        """Length of the text."""
        return len(self.body["input"])

    @property
    def request(self) -> Request:
        """The request for it."""
        return Request("/v1/audio/speech", json.dumps(self.body).encode(), characters=self.characters)


@dataclass(frozen=True)
class Workload:
    """The texts of a run."""

    name: str
    texts: tuple[Text, ...] = field(repr=False)

    def draw(self, seed: int) -> Iterator[Request]:
        """Yield requests without end, the same for the same seed."""
        # Not the bare seed: that draws the gaps between arrivals, and long texts would come after long gaps.
        draw, weights = random.Random(f"texts {seed}"), [text.weight for text in self.texts]
        requests = [text.request for text in self.texts]
        while True:
            yield from draw.choices(requests, weights, k=64)

    def long_request(self, characters: int) -> Request:
        """Return a request for one whole file, which takes most memory: all texts, repeated and cut to that length."""
        joined = " ".join(text.body["input"] for text in self.texts) + " "
        long = (joined * (characters // len(joined) + 1))[:characters].strip()
        return Text({**self.texts[0].body, "input": long, "stream": False}).request


def builtin_workload() -> Workload:
    """Return ten English texts of equal weight."""
    return Workload("builtin", tuple(Text({**_DEFAULTS, "input": text}) for text in _BUILTIN))


def load_workload(path: Path) -> Workload:
    """Read a file with a text a line, or a JSON object with `input`, perhaps `weight`, and other fields of the endpoint.

    Raises:
        ValueError: a line is neither, or there is none; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: the mix cannot be read: {error}") from error
    texts = tuple(_parse_text(path, number, line) for number, line in enumerate(lines, 1) if line.strip())
    if not texts:
        raise ValueError(f"{path}: holds no texts, expected one a line")
    return Workload(str(path), texts)


def _parse_text(path: Path, number: int, line: str) -> Text:
    where = f"{path}:{number}"
    if not line.lstrip().startswith("{"):
        return Text({**_DEFAULTS, "input": line.strip()})
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: begins like JSON and is not JSON: {error}") from error
    text, weight = fields.get("input"), fields.pop("weight", 1)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'{where}: expected a text in "input", found {text!r:.60}')
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not _MIN_WEIGHT <= weight <= _MAX_WEIGHT:
        raise ValueError(f'{where}: "weight" is {weight!r:.60}, expected {_MIN_WEIGHT:g} to {_MAX_WEIGHT:g}')
    return Text({**_DEFAULTS, **fields}, float(weight))
