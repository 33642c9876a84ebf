"""Letters of a voice that reads characters: apostrophes and decomposed letters stay as written if the voice knows them so.

Rules and phonemizers want one apostrophe and composed letters. A voice that reads characters was trained with what its
texts had, and a character that it does not know is silent.
"""

import unicodedata
from collections.abc import Container, Iterator

from loader.text.normalization.aligned import AlignedText, Replacement

_APOSTROPHES = frozenset("'\u2018\u2019\u02bc\u00b4`\uff07")


def restore_letters(text: AlignedText, written: str, letters: Container[str]) -> AlignedText:
    """Return the text with the written form of apostrophes and letters that the voice does not know in the present one.

    Args:
        text: after all changes.
        written: the text that its origins are positions in.
        letters: the characters that the voice knows; the case does not matter.
    """
    if written.isascii():
        return text
    changes = list(_restored(text, written, letters))
    return text.replaced(changes) if changes else text


def _restored(text: AlignedText, written: str, letters: Container[str]) -> Iterator[Replacement]:
    place = 0
    while place < len(text.text):
        start, stop = text.origins[place]
        end = place + 1
        while end < len(text.text) and text.origins[end] == (start, stop):
            end += 1
        present, source = text.text[place:end], written[start:stop]
        if present != source and _is_same(present, source) and (_knows(source, letters) or not _knows(present, letters)):
            yield place, end, source
        place = end


def _is_same(present: str, source: str) -> bool:
    if present in _APOSTROPHES:
        return source in _APOSTROPHES
    return unicodedata.normalize("NFC", present) == unicodedata.normalize("NFC", source)


def _knows(characters: str, letters: Container[str]) -> bool:
    return all(each in letters or each.lower() in letters for each in characters)
