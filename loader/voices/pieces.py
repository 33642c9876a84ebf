"""Pieces: the parts of a text in the order in which they are spoken, each of one sentence and one style."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from loader.engines.base import Plan, Prosody, Samples, Speaker, Work
from loader.text.front_end import without_region
from loader.text.lexicon.lexicon import Lexicon
from loader.text.markup.script import Script, Style
from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.letters import restore_letters
from loader.text.passages import Passage, passages_of
from loader.text.reading import Reading
from loader.text.sentences import split_sentences
from loader.voices.chunks import Segment, silence_sizes

if TYPE_CHECKING:
    from loader.text.normalization.normalizer import Normalizer, Spoken


@dataclass(frozen=True)
class Piece:
    """A part of a sentence: what is written, and what is spoken of it."""

    #: The sentence as written, without markup; "" for a silence after the last one.
    written: str
    #: Its origins are positions in `written`.
    spoken: "Spoken"
    style: Style
    begins_sentence: bool
    #: Silence before it that the markup asks for.
    pause_s: float = 0.0
    #: Names of moments before its end, with positions in `written`.
    marks: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Delivery:
    """How a voice speaks a style."""

    speaker: Speaker
    #: The row of the language, and the language as the manifest names it.
    language: int
    language_name: str
    prosody: Prosody
    #: Factor of the amplitude.
    volume: float


class Waiting:
    """What waits for the next sound: the silence before it, and the names of its moment."""

    def __init__(self) -> None:
        self.begins_sentence = False
        self.pause_s = 0.0
        self.marks: list[tuple[int, str]] = []
        self._between_s = 0.0

    def add(self, piece: Piece, sentence_pause_s: float) -> None:
        """Add what a piece asks for; between sentences the longer of the two pauses is made."""
        if piece.begins_sentence:
            self.begins_sentence, self._between_s = True, sentence_pause_s
            self.marks = [(0, name) for _place, name in self.marks]
        self.pause_s += piece.pause_s
        self.marks += piece.marks

    def take(self, stop: int, sample_rate_hz: int) -> tuple[int, list[tuple[int, str]]]:
        """Return the silence in samples, and the marks before `stop`, where the text of the next sound ends; later ones wait."""
        pause_s = max(self.pause_s, self._between_s)
        taken, later = ([each for each in self.marks if (each[0] < stop) is before] for before in (True, False))
        self.begins_sentence, self.pause_s, self.marks, self._between_s = False, 0.0, later, 0.0
        return round(pause_s * sample_rate_hz), taken

    def silence(self, sentence: int, language: str, sample_rate_hz: int) -> Segment:
        """Return a segment of the silence and the marks after the last sound; at least one sample, since marks have a time."""
        samples = max(1, round(self.pause_s * sample_rate_hz))
        work: Iterator[Work] = (partial(_silence, size) for size in silence_sizes(samples))
        plan = Plan(np.array([samples]), work)
        return Segment(sentence, Reading((), ""), language, 0, plan, "", AlignedText.of("", 0, 0), self.marks)


def amplified(plan: Plan, volume: float) -> Plan:
    """Return a plan whose samples are multiplied by `volume`, and kept within [-1, 1]."""
    if volume == 1.0:
        return plan
    return replace(plan, work=(partial(_amplified_samples, work, volume) for work in plan.work))


def _silence(samples: int) -> Samples:
    return np.zeros(samples, np.float32)


def _amplified_samples(work: Work, volume: float) -> Samples:
    amplified: Samples = np.clip(work() * np.float32(volume), -1, 1)
    return amplified


@dataclass(frozen=True)
class Reader:
    """How a text is read: a language, whether it is normalized, and lexicons."""

    #: Of the request, without its region.
    language: str
    normalizes: bool
    #: Returns the lexicon of a language without its region.
    lexicon_of: Callable[[str], Lexicon | None] = lambda language: None
    #: What a voice that reads characters knows; none for one that reads phonemes.
    letters: Collection[str] = ()

    def sentences(self, content: str | Script) -> Iterator[Passage]:
        """Yield the sentences as written, each a passage; one without text for pauses and marks after the last one."""
        split = _normalizer_of(self.language).sentences if self.normalizes else self._split
        for passage in passages_of(content):
            stop = since = 0
            for sentence in split(passage.text):
                start = passage.text.index(sentence, stop)
                stop = start + len(sentence)
                yield passage.part(start, stop, since)
                since = stop
            if passage.has_markup_from(since):
                yield passage.part(len(passage.text), len(passage.text) + 1, since)

    def pieces(self, content: str | Script) -> Iterator[Piece]:
        """Yield the pieces of a text, read on demand; some have no sound."""
        for sentence in self.sentences(content):
            for cut in sentence.cuts():
                own = cut.style.language
                normalizer = _normalizer_of(without_region(own.replace("_", "-").lower()) if own else self.language)
                lexicon = self.lexicon_of(normalizer.language)
                pause_s = cut.pause_s
                for spoken in normalizer.spoken(sentence, cut.start, cut.stop, lexicon, rewrites=self.normalizes):
                    if self.letters and self.normalizes:
                        text = restore_letters(spoken.text, sentence.text, self.letters)
                        spoken = replace(spoken, text=text)
                    marks = [each for each in sentence.marks if spoken.text.start <= each[0] < max(1, spoken.text.stop)]
                    yield Piece(sentence.text, spoken, cut.style, not spoken.text.start, pause_s, marks)
                    pause_s = 0.0

    def _split(self, text: str) -> Iterator[str]:
        return split_sentences(text, self.language)


def _normalizer_of(language: str) -> "Normalizer":
    # Late: `early_import` imports it beside other work.
    from loader.text.normalization.normalizer import normalizer_of

    return normalizer_of(language)
