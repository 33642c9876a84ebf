"""Characters: Unicode as people paste it, reduced to letters and marks that voices know.

Ligatures, full-width and decomposed letters, invisible characters, white space of all kinds, HTML entities, apostrophes.
"""

import html
import re
import unicodedata

from loader.text.normalization.aligned import AlignedText

_UNUSUAL = re.compile(r"[^\x20-\x7e]|&")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
#: Soft hyphen, zero-width space, directional marks, word joiner, variation selectors, byte-order mark, tags.
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
#: Arabic and Indic scripts spell with these two; elsewhere they are invisible.
_JOINERS = re.compile(r"(?<![\u0600-\u1cff])[\u200c\u200d]+|[\u200c\u200d]+(?![\u0600-\u1cff])")
#: Between the digits of one number, and no other place of it.
_GROUPS = re.compile(r"(?<![\w.,])\d{1,3}(?:[\u00a0\u2009\u202f]\d{3})+(?!\w)")
_SPACE = re.compile(r"\s+|[\x00-\x1f]+")
_COMBINED = re.compile(r"[^\W\d_][\u0300-\u036f]+")
#: Blocks of letters and signs in other shapes.
_COMPATIBLE = re.compile(
    r"[\u0132\u0133\u0149\u017f\u01c4-\u01cc\u01f1-\u01f3\u2010-\u2bff\u3200-\u33ff\uf900-\ufdff\ufe10-\uffef"
    r"\U0001d400-\U0001d7ff]"
)
#: Not superscripts and fractions: `x²` is not `x2`, and `2½` is not `21/2`.
_SAME_LETTERS = frozenset(
    "<compat> <wide> <narrow> <font> <noBreak> <initial> <medial> <final> <isolated> <square> <circle>".split()
)
#: The rules read the first; others end clauses for readers of Chinese and Japanese; an ellipsis is a pause.
_KEPT_MARKS = "№…‥，！？：；（）～｡､"
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])[\u2018\u2019\u02bc\u00b4`\uff07](?=[^\W\d_])|(?<!\w)[\u2018\u2019\u02bc](?=\d0s\b)")


def clean_characters(text: AlignedText, *, is_decoded: bool = False) -> AlignedText:
    """Return the text in composed and visible characters, with one plain space for any white space.

    Args:
        text: as written, or with changes by markup.
        is_decoded: whether its entities have been decoded; then what looks like one is text.
    """
    if not _UNUSUAL.search(text.text):
        return text
    if not is_decoded:
        text = text.substituted(_ENTITY, _unescape)
    text = text.substituted(_INVISIBLE, "").substituted(_JOINERS, "")
    text = text.substituted(_GROUPS, lambda match: "".join(match[0].split())).substituted(_SPACE, " ")
    if text.text.isascii():
        return text
    text = text.substituted(_COMBINED, lambda match: unicodedata.normalize("NFC", match[0]))
    return text.substituted(_COMPATIBLE, lambda match: _same_letters(match[0])).substituted(_APOSTROPHE, "'")


def _unescape(match: re.Match[str]) -> str | None:
    text = html.unescape(match[0])
    is_text = text.isprintable() and text not in ("", "\ufffd")
    return text if is_text or text == "\xa0" else None


def _same_letters(character: str) -> str | None:
    kind = unicodedata.decomposition(character).split(" ")[0]
    return unicodedata.normalize("NFKC", character) if kind in _SAME_LETTERS and character not in _KEPT_MARKS else None
