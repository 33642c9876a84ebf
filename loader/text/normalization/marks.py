"""Marks: dashes, ellipses and brackets as the pauses that every voice makes, commas."""

import re

from loader.text.normalization.aligned import AlignedText

#: espeak-ng reads what is between these as phonemes.
_PHONEME_SWITCH = re.compile(r"\[\[|\]\]")
_DASH = re.compile(
    r"\s+[-\u2010-\u2015]{1,3}\s+|\s*(?:[\u2014\u2015]+|-{2,3})\s*|(?<=[^\W\d_])\s*\u2013\s*(?=[^\W\d_])"
    r"|^[-\u2010-\u2015]+\s*"
)
_ELLIPSIS = re.compile(r"(?<=\w)(?:[\u2025\u2026]+|\.{2,})\s*(?=\w)")
_OPENING = re.compile(r"[,;:]?\s*[(\[{]\s*")
_CLOSING = re.compile(r"[,;:]?\s*[)\]}]\s*")
_SPACES = re.compile(r" {2,}| +(?=[,.;!?](?!\w))")


def speak_marks(text: AlignedText) -> AlignedText:
    """Return the text with commas for marks inside it; a mark at its beginning or end, or beside another one, is dropped."""
    if text.text.isascii() and not any(mark in text.text for mark in "-.[](){}"):
        return text
    text = text.substituted(_PHONEME_SWITCH, "")
    for pattern in (_DASH, _ELLIPSIS, _OPENING, _CLOSING):
        text = text.substituted(pattern, _pause)
    return text.substituted(_SPACES, lambda match: " " if len(match[0]) > 1 else "")


def _pause(match: re.Match[str]) -> str:
    before, after = match.string[: match.start()].rstrip(), match.string[match.end() :]
    if not before or not after or after[0] in ".,;:!?":
        return ""
    return " " if before[-1] in ".,;:!?" else ", "
