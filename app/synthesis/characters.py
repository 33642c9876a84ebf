"""Characters of a text that are no text: control characters, escape sequences of terminals, and halves of surrogate pairs.

Programs that split texts, read terminals or convert documents send them. They have no sound, so they are no reason to
refuse a text; the answer names those that were dropped.
"""

import re
from dataclasses import dataclass

#: Distinct characters that are named.
MAX_NAMED = 20
#: Control characters that are white space: line and page breaks of documents, and separators of records.
_SPACE = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")
#: Colours, movements of the cursor (CSI) and links (OSC) of terminals: what follows the escape character belongs to it.
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
#: All other control characters but tab and line ends, and surrogates, of which JSON may have a half.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class CleanText:
    """A text of characters that can be spoken or shown."""

    text: str
    #: What it lost, such as `U+001B`, each once, in the order of the text, at most `MAX_NAMED`.
    dropped: tuple[str, ...] = ()


def clean_text(text: str) -> CleanText:
    """Return `text` with a space for each control character that is white space, and without all others.

    What follows a dropped character moves ahead by one; nothing moves for a space.
    """
    spaced = _SPACE.sub(" ", text)
    if not (found := dict.fromkeys(_NOT_TEXT.findall(spaced))):
        return CleanText(spaced)
    named = tuple(f"U+{ord(character):04X}" for character in found)[:MAX_NAMED]
    return CleanText(_NOT_TEXT.sub("", _SEQUENCE.sub("", spaced)), named)
