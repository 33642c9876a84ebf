"""What is said in one breath, on paper: ids, and where each comes from."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One utterance: its ids, and the text and phonemes they stand for."""

    #: Rows of the voice's embedding, with blanks already in.
    ids: Sequence[int]
    #: What it was read from: a sentence, or a piece of one.
    text: str
    #: The phonemes of all of `text`; "" where the front end has none of its own.
    phonemes: str = ""
    #: The position in `phonemes` of what each id stands for; None for blanks, beginning and end.
    positions: Sequence[int | None] = ()
    #: Where in `phonemes` this utterance begins; after the beginning where it is only a part of what was read.
    start: int = 0
