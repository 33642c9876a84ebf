"""Text to utterances: sentences, and pieces of those that are too long for one pass."""

from collections.abc import Iterator

import sentencex

#: Longest piece of raw text given to cleaners and phonemizer at once. The encoder's
#: attention is quadratic, and Coqui's punctuation code recurses once a mark.
PIECE_CHARACTERS = 320
#: Longest run of phonemes of one utterance; 500 of them last about 35 s.
UTTERANCE_PHONEMES = 500

_BREAKS = ("\n", "; ", ": ", ", ", " ")


def split_sentences(text: str, language: str) -> Iterator[str]:
    """Yield the sentences of `text`, stripped, none empty.

    Halves of characters, which JSON can carry and UTF-8 cannot, are joined or dropped.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    for sentence in sentencex.segment(language, whole):
        if stripped := sentence.strip():
            yield stripped


def split_at_breaks(text: str, limit: int) -> Iterator[str]:
    """Cut `text` into pieces of at most `limit` characters, at the best break there is.

    Prefers the end of a clause to the end of a word, and either to the middle of a
    word. Nothing is dropped but white space at the cuts.
    """
    while len(text) > limit:
        cut = _best_cut(text, limit)
        piece, text = text[:cut].strip(), text[cut:].strip()
        if piece:
            yield piece
    if text:
        yield text


def _best_cut(text: str, limit: int) -> int:
    for mark in _BREAKS:
        found = text.rfind(mark, limit // 2, limit)
        if found > 0:
            return found + len(mark)
    return limit
