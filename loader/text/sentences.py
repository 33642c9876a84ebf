"""Sentences: text cut into sentences, and sentences into pieces that fit one pass."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain

import sentencex

#: Longest piece of raw text given to cleaners and phonemizer at once. The encoder's
#: attention is quadratic, and Coqui's punctuation code recurses once a mark.
PIECE_CHARACTERS = 320
#: The same for scripts with a syllable or more a character: Chinese, Japanese, Korean.
WIDE_PIECE_CHARACTERS = 150
#: Longest run of phonemes of one utterance; 500 of them last about 35 s.
UTTERANCE_PHONEMES = 500

#: A first sentence longer than this is cut after its first clause, so that audio starts early: the encoder's time
#: grows with the length, 0.2 ms a phoneme id (2026-11-24). A clause has a minimum length.
LONG_SENTENCE_CHARACTERS, MIN_CLAUSE_CHARACTERS = 90, 30

#: From the best break to the worst; of one row, the last one in the text.
_BREAKS = (
    ("\n",), ("。", "！", "？", "｡", "。」", "！」", "？」", "。”", "！”", "？”"),
    ("; ", "；"), (": ", "："), (", ", "，", "、", "､"), (" ", "\u3000"),
    # Of texts without spaces, such as Japanese phonemes.
    (".", "!", "?", ";", ":", ",", "…", "・"),
)  # fmt: skip

#: Characters that are cut into sentences at once.
BLOCK_CHARACTERS = 4_096
#: Bound of a block's punctuation marks and symbols, without commas and the like, times its characters. From each mark that
#: may open a quote the library looks for its end up to the end of the block, from each that may end a sentence back to
#: the last white space. It holds Python's lock meanwhile: 28 ms at most, 270 ms without the bound (2026-11-30).
#: Prose has full blocks: 256 marks are one every 16 characters.
MARKS_TIMES_CHARACTERS = 256 * BLOCK_CHARACTERS
#: Marks of categories that hold words too, such as `%` and `&`.
_MARKS = frozenset(".,;:!?…¡¿'\"")
_APOSTROPHES = "'’`"
_NO_LETTER = re.compile(r"[^\w\s,;:-]")
#: sentencex 1.0.32 panics on `B`, one of these, and a full stop; it treats each as a space.
_PLAIN_SPACES = dict.fromkeys([0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000], " ")
_NOT_SPACE = re.compile(r"\S")
_CLAUSE_ENDS = ("; ", "；", ": ", "：", ", ", "，", "、", "､", " – ", " — ", "\n")


def split_sentences(text: str, language: str) -> Iterator[str]:
    """Yield the sentences of `text`, stripped, none empty.

    Surrogate halves, which JSON can contain and UTF-8 cannot, are joined or dropped.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    for sentence in _segments(whole, language):
        if stripped := sentence.strip():
            yield stripped


def _segments(text: str, language: str) -> Iterator[str]:
    """Yield the library's sentences: the whole text, without some of the white space between them.

    In blocks: over a text without spaces after its full stops, or of opening quotes only, the
    library's time before the first sentence is quadratic in the length, 55 s for a million
    characters of Japanese (2026-11-24). A sentence that begins near the end of a block may continue
    in the next one, so it is read again; one that takes most of a block is continued from the end of a word.
    A block with many opening quotes is shorter.
    """
    begun: list[str] = []
    start = 0
    while start < len(text):
        block, done = _block(text, start), 0
        is_last = start + len(block) == len(text)
        readable = block.translate(_PLAIN_SPACES)
        for sentence in sentencex.segment(language, readable):
            begins = max(done, readable.find(sentence, done))
            end = begins + len(sentence)
            if not is_last and end > _sure_characters(block):
                break
            # If the sentence has begun in an earlier block, white space that the library skipped is inside it.
            yield "".join(begun) + block[done if begun else begins : end]
            begun, done = [], end
        # Also of a sentence that takes most of the block: read again, it would take as long as the block for a few characters.
        if not done or (not is_last and done < len(block) // 4):
            cut = len(block) if is_last else _end_of_last_word(block)
            cut = cut if cut > done else _sure_characters(block)
            begun.append(block[done:cut])
            done = cut
        start += done
    if begun:
        yield "".join(begun)


def _block(text: str, start: int) -> str:
    """Return the next block from `start`: the longest text within both bounds."""
    most = text[start : start + BLOCK_CHARACTERS]
    places = (found.start() for found in _NO_LETTER.finditer(most) if _is_mark(most, found.start()))
    for marks, following in enumerate(chain(places, [len(most)])):
        if marks * following > MARKS_TIMES_CHARACTERS:
            return most[: MARKS_TIMES_CHARACTERS // marks]
    return most


def _is_mark(text: str, place: int) -> bool:
    """Whether there is punctuation or a symbol, other than an apostrophe after a letter."""
    character = text[place]
    is_apostrophe = character in _APOSTROPHES and text[place - 1 : place].isalpha()
    return unicodedata.category(character)[0] in "PS" and not is_apostrophe


def _sure_characters(block: str) -> int:
    """Return the length of a block whose sentences the text after the block cannot change."""
    return 3 * len(block) // 4


def _end_of_last_word(block: str) -> int:
    """Return the end of the last word that the text after the block cannot change, with its space."""
    sure = _sure_characters(block)
    spaces = (position + 1 for position in range(sure - 1, 0, -1) if block[position].isspace())
    return next(spaces, sure)


def split_first_clause(sentence: str) -> tuple[str, ...]:
    """Cut a long sentence in two after its first clause, if it has one of the minimum length."""
    if len(sentence) <= LONG_SENTENCE_CHARACTERS:
        return (sentence,)
    last = len(sentence) - MIN_CLAUSE_CHARACTERS
    found = (sentence.find(mark, MIN_CLAUSE_CHARACTERS, last) + len(mark) for mark in _CLAUSE_ENDS)
    cut = min((each for each in found if each > MIN_CLAUSE_CHARACTERS), default=0)
    return (sentence[:cut].strip(), sentence[cut:].strip()) if cut else (sentence,)


def piece_characters(text: str) -> int:
    """Return the length of pieces for `text`, by its prevailing script."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return WIDE_PIECE_CHARACTERS if 2 * wide > len(text) else PIECE_CHARACTERS


def split_at_breaks(text: str, limit: int) -> Iterator[str]:
    """Cut `text` into pieces of at most `limit` characters, at the best breaks.

    Prefers the end of a clause to the end of a word, and either to the middle of a
    word. Drops white space at the cuts only.
    """
    start, end, end_of_last_word = 0, len(text), len(text.rstrip())
    while end - start > limit:
        cut = start + _best_cut(text[start : start + limit], limit)
        if piece := text[start:cut].strip():
            yield piece
        # Positions and not the rest of the text, which would be copied for every piece.
        start, end = _after_space(text, cut), end_of_last_word
    if start < end:
        yield text[start:end]


def _after_space(text: str, start: int) -> int:
    """Return the position of the first character from `start` that is not white space; the end if there is none."""
    found = _NOT_SPACE.search(text, start)
    return found.start() if found else len(text)


def _best_cut(text: str, limit: int) -> int:
    for marks in _BREAKS:
        cut = max(_end_of_last(mark, text, limit) for mark in marks)
        if cut:
            return cut
    return limit


def _end_of_last(mark: str, text: str, limit: int) -> int:
    """Return the end of the last such mark in the second half; 0 if there is none."""
    found = text.rfind(mark, limit // 2, limit)
    return found + len(mark) if found > 0 else 0


def is_marks(text: str) -> bool:
    """Whether a text has marks alone that divide or enclose sentences; `%` and `&` are words."""
    return all(
        each in _MARKS or each.isspace() or unicodedata.category(each) in ("Pd", "Ps", "Pe", "Pi", "Pf") for each in text
    )
