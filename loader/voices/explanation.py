"""Explanation: what a voice reads for each written word, and where that comes from. Makes no audio.

For the person who writes a lexicon: the same readings that are spoken, in rows that together have every written character, every
phoneme and every id once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from loader.text.alignment import WordSpan, is_punctuation, word_ranges, written_words
from loader.text.markup.script import Script
from loader.text.normalization.aligned import AlignedText
from loader.text.reading import Reading
from loader.voices.pieces import Delivery, Piece
from loader.voices.voice import Checkpoint, SpeechOptions, Utterable, Voice

#: What says how a word is spoken: the voice reads it as it is, or it was changed by one of the others.
Source = Literal["voice", "normalization", "lexicon", "markup"]


@dataclass(frozen=True)
class ExplainedWord:
    """A row: a written word, and what is spoken for it."""

    #: With the punctuation around it. Words that are spoken together, such as `1 000 000`, are one.
    written: str
    #: Its range in the sentence, half-open.
    start: int
    stop: int
    #: The text that the voice reads; "" for a word without sound, which has no phonemes and ids either.
    spoken: str
    #: With the punctuation after them; the letters if the voice reads letters.
    phonemes: str
    #: Rows of the voice's embedding, of white space and punctuation too; without the blanks between them.
    ids: tuple[int, ...]
    source: Source


@dataclass(frozen=True)
class ExplainedSentence:
    """A sentence and its rows."""

    #: Without markup.
    written: str
    normalized: str
    words: tuple[ExplainedWord, ...]


def explain(
    voice: Voice, content: str | Script, options: SpeechOptions, checkpoint: Checkpoint = lambda: None
) -> Iterator[ExplainedSentence]:
    """Yield the sentences of a text or a script as the voice reads them, on demand; those without sound too.

    Raises:
        LoaderError: see `Voice.readings`.
    """
    sentence: _Sentence | None = None
    for piece, delivery, found in voice.readings(content, options, checkpoint):
        if sentence is None or (piece.begins_sentence and piece is not sentence.pieces[-1]):
            if sentence and sentence.written.strip():
                yield sentence.explained()
            sentence = _Sentence(piece.written, voice)
        sentence.add(piece, delivery, found)
    if sentence and sentence.written.strip():
        yield sentence.explained()


@dataclass
class _Heard:
    """Written words that are spoken together, and their parts of a reading."""

    #: Range in the sentence.
    start: int
    stop: int
    spoken: AlignedText
    phonemes: str
    #: Where they begin in all phonemes of the reading.
    first_phoneme: int
    ids: list[int] = field(default_factory=list)


class _Sentence:
    """One sentence while it is read."""

    def __init__(self, written: str, voice: Voice) -> None:
        self.written = written
        self.pieces: list[Piece] = []
        self._voice = voice
        #: In the order of the sentence.
        self._heard: list[_Heard] = []
        #: Those of the text that was read last; parts of long phonemes share it.
        self._current: list[_Heard] = []

    def add(self, piece: Piece, delivery: Delivery, found: Utterable | None) -> None:
        """Add the next utterance, of the last piece or a new one."""
        if not self.pieces or piece is not self.pieces[-1]:
            self.pieces.append(piece)
        if found is None:
            return
        reading, spoken = found
        if not (reading.start and self._current):
            words = self._voice.words(reading, delivery.language_name)
            self._current = list(_split(reading, words, spoken, self.written))
            self._heard += self._current
        firsts = [each.first_phoneme for each in self._current]
        # Without phonemes there is one part.
        for number, position in zip(reading.ids, reading.positions or [0] * len(reading.ids), strict=True):
            if position is not None:
                self._current[max(0, bisect_right(firsts, position) - 1)].ids.append(number)

    def explained(self) -> ExplainedSentence:
        """Return the sentence; nothing is added to it afterwards."""
        places = [each.start for each in self._heard]
        starts = sorted({*places, *self._silent_words()})
        # A word that is spoken in several parts is written before the first of them only.
        stops = [*starts[1:], len(self.written)]
        starts = [start for start, stop in zip(starts, stops, strict=False) if self.written[start:stop].strip()]
        ends = [*(bisect_left(places, start) for start in starts[1:]), len(places)]
        heard = [self._heard[first:last] for first, last in pairwise([0, *ends])]
        ranges = list(pairwise([0, *starts[1:], len(self.written)]))
        silent = [span for span, words in zip(ranges, heard, strict=True) if not words]
        rows = _Rows(self.written, self.pieces, silent, bool(self._voice.parts.open().front_end.symbols))
        normalized = "".join(piece.spoken.text.text for piece in self.pieces).strip()
        words = tuple(rows.word(*span, words) for span, words in zip(ranges, heard, strict=True))
        return ExplainedSentence(self.written, normalized, words)

    def _silent_words(self) -> Iterator[int]:
        """Yield where the written words without a sound begin."""
        starts = [each.start for each in self._heard]
        for start, stop in word_ranges(self.written):
            before = bisect_right(starts, start)
            is_heard = (before and start < self._heard[before - 1].stop) or (before < len(starts) and starts[before] < stop)
            if not is_heard and not is_punctuation(self.written[start:stop]):
                yield start


class _Rows:
    """Makes the rows of one sentence."""

    def __init__(self, written: str, pieces: Sequence[Piece], silent: Sequence[tuple[int, int]], has_symbols: bool) -> None:
        """Take the ranges of rows without a sound, and whether the voice takes phonemes."""
        self._written = written
        #: For each written character: whether a row without a sound has it; markup or lexicon, if one of them has a say in it;
        #: whether it is in the text that the voice reads.
        self._is_silent = [False] * len(written)
        self._directed: list[Source | None] = [None] * len(written)
        self._is_read = [False] * len(written)
        for start, stop in silent:
            self._is_silent[start:stop] = [True] * (stop - start)
        directions = [each for piece in pieces for each in piece.spoken.directions if has_symbols or not each.by_phonemes]
        for each in sorted(directions, key=lambda each: each.source):  # markup over the lexicon
            self._directed[each.start : each.stop] = [each.source] * (each.stop - each.start)
        for start, stop in (origin for piece in pieces for origin in piece.spoken.text.origins):
            if start + 1 == stop:
                self._is_read[start] = True

    def word(self, start: int, stop: int, heard: Sequence[_Heard]) -> ExplainedWord:
        """Return the row of a range of the sentence, which may have white space around."""
        text = self._written[start:stop]
        start, stop = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
        written = self._written[start:stop]
        spoken = " ".join(" ".join(self._spoken(each.spoken) for each in heard).split())
        phonemes = " ".join(each.phonemes.strip() for each in heard)
        ids = tuple(number for each in heard for number in each.ids)
        return ExplainedWord(written, start, stop, spoken, phonemes, ids, self._source(start, stop, spoken))

    def _spoken(self, text: AlignedText) -> str:
        """Return a text without the characters of rows without a sound."""
        return "".join(
            character
            for character, (start, stop) in zip(text.text, text.origins, strict=True)
            if not (start < stop and all(self._is_silent[start:stop]))
        )

    def _source(self, start: int, stop: int, spoken: str) -> Source:
        directed = {each for each in self._directed[start:stop] if each}
        if directed:
            return max(directed)
        is_same = spoken == " ".join(self._written[start:stop].split()) if spoken else any(self._is_read[start:stop])
        return "voice" if is_same else "normalization"


def _split(reading: Reading, words: Sequence[WordSpan], spoken: AlignedText, written: str) -> Iterator[_Heard]:
    """Yield the written words of a text that was read at once, each with its parts of the text and of all phonemes."""
    own = [word for word in words if spoken.written_range(word.start_character, word.end_character)[1] > spoken.start]
    groups = written_words(own, spoken, written)
    written_runs = [start + spoken.start for start, _stop in word_ranges(written[spoken.start : spoken.stop])]
    spoken_runs = [start for start, _stop in word_ranges(spoken.text)]
    characters = {word.first_phoneme: word.start_character for word in words}
    ranges = [(spoken.start + each.start_character, spoken.start + each.end_character) for each in groups]
    ranges = [(_last_before(written_runs, start), stop) for start, stop in ranges]
    texts = [_last_before(spoken_runs, characters[each.first_phoneme]) for each in groups]
    before = [0, *(each.last_phoneme for each in groups)]
    firsts = [_with_marks(reading.phonemes, each.first_phoneme, last) for each, last in zip(groups, before, strict=False)]
    if len(own) < len(words) or not groups:
        # It begins with the rest of a word that the text before it stands for too, or the voice has no phonemes.
        ranges.insert(0, (spoken.start, spoken.start if words else spoken.stop))
    else:
        texts, firsts = texts[1:], firsts[1:]
    texts, firsts = [0, *texts, len(spoken.text)], [0, *firsts, len(reading.phonemes)]
    for place, (start, stop) in enumerate(ranges):
        part, phonemes = spoken.part(texts[place], texts[place + 1]), reading.phonemes[firsts[place] : firsts[place + 1]]
        yield _Heard(start, stop, part, phonemes, firsts[place])


def _last_before(places: Sequence[int], place: int) -> int:
    """Return the last of the places up to that one."""
    return places[max(0, bisect_right(places, place) - 1)]


def _with_marks(phonemes: str, first: int, since: int) -> int:
    """Return where the marks before a word begin, if white space is before them: an opening quote is part of its word."""
    start = first
    while start > since and not phonemes[start - 1].isspace():
        start -= 1
    return start if start > since else first
