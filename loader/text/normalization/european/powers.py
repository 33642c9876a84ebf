"""Raised and lowered figures: `5²`, `10⁶`, `CO₂`."""

import re
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

_LOWERED = re.compile(r"(?<=[A-Za-z])[\u2080-\u2089]+")
#: Not `m²`, which is a unit.
_SQUARE = re.compile(r"(?<=[\d)])([²³])(?![\u2070-\u2079¹²³])|(?<!\w)([a-ln-zA-Z])([²³])(?!\w)")
_RAISED = re.compile(r"(?<=\d)(\u207b?)([\u2070¹²³\u2074-\u2079]{1,3})")
_SQUARES = {
    "de": ("hoch zwei", "hoch drei"),
    "fr": ("au carré", "au cube"),
    "es": ("al cuadrado", "al cubo"),
    "it": ("al quadrato", "al cubo"),
    "pt": ("ao quadrado", "ao cubo"),
}
_TO_THE = {"de": "hoch", "fr": "puissance", "es": "elevado a", "it": "alla", "pt": "elevado a"}
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")


def lift_figures(text: AlignedText) -> AlignedText:
    """Return the text with plain figures for lowered ones."""
    return text.substituted(_LOWERED, lambda found: found[0].translate(_PLAIN))


def speak_powers(text: AlignedText, numerals: Numerals, minus: str) -> AlignedText:
    """Return the text with raised figures in words."""
    text = text.substituted(_SQUARE, partial(_square, numerals.language))
    return text.substituted(_RAISED, partial(_power, numerals, minus))


def _square(language: str, found: re.Match[str]) -> str:
    return (found[2] or "") + f" {_SQUARES[language]['²³'.index(found[1] or found[3])]}"


def _power(numerals: Numerals, minus: str, found: re.Match[str]) -> str:
    exponent = numerals.cardinal(int(found[2].translate(_PLAIN)))
    return f" {_TO_THE[numerals.language]} {minus + ' ' if found[1] else ''}{exponent}"
