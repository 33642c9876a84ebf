"""Ordinal marks in French, Spanish, Italian and Portuguese, and the degree sign, which some write for them."""

import re
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

_MARK = re.compile(r"(?<![\w.,])(\d{1,3})\.?([ºª])s?(?!\w)")
_DEGREE = re.compile(r"(?<![\w.,-])(\d{1,3})°(?!\s?[CFK]\b)")
_DEGREES = {"es": ("grado", "grados"), "it": ("grado", "gradi"), "pt": ("grau", "graus")}
_MAX_ORDINAL = 199
_BEFORE_ORDINAL = re.compile(
    r"(?:\b(?:il|lo|la|i|le|gli|al|allo|alla|nel|nello|nella|del|dello|della|dal|dallo|dalla|sul|sulla|ogni|un|una|e|el|los|las|"
    r"y|o|os|a|as|no|na|do|da|ao|pelo|pela|suo|sua) |l'|^)$",
    re.IGNORECASE,
)
_AFTER_DEGREE = re.compile(
    r"\s?(?:$|[.,;:!?)]|(?:all'|in|di|de|e|y|a|al|por|o|ed|nord|sud|est|ovest|norte|sur|sul|leste|oeste|latitud\w*|"
    r"longitud\w*)\b)"
)
_SPANISH_FIRST = re.compile(r"(?<![\w.,])([13])\.er\b")
_ITALIAN_ENDING = re.compile(r"(?<![\w.,])(\d{1,4})(esim[oaei]|enn[ei])\b")
_FRENCH_FIRSTS = re.compile(r"(?<![\w.,])1(ers|res|ères)\b")
_FRENCH_LETTERS = re.compile(r"(?<=\d)(ᵉʳ|ʳᵉ|ᵉ)")
_PLAIN_LETTERS = {"ᵉʳ": "er", "ʳᵉ": "re", "ᵉ": "e"}


def speak_ordinals(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with these in words, or as the library reads them."""
    language = numerals.language
    if language == "fr":
        text = text.substituted(_FRENCH_FIRSTS, lambda found: "premiers" if found[1] == "ers" else "premières")
        return text.substituted(_FRENCH_LETTERS, lambda found: _PLAIN_LETTERS[found[1]])
    if language == "es":
        text = text.substituted(_SPANISH_FIRST, lambda found: f"{found[1]}er")
    if language == "it":
        text = text.substituted(_ITALIAN_ENDING, partial(_italian_ending, numerals))
    if language in _DEGREES:
        text = text.substituted(_DEGREE, partial(_degree, language)).substituted(_MARK, partial(_ordinal, numerals))
    return text


def _italian_ending(numerals: Numerals, found: re.Match[str]) -> str:
    number = int(found[1])
    if found[2].startswith("esim"):
        return numerals.ordinal(number)[:-1] + found[2][-1]
    said = numerals.cardinal(number).replace("é", "e")
    return (said[:-1] if said[-1] in "aeio" and not said.endswith("tre") else said) + found[2]


def _degree(language: str, found: re.Match[str]) -> str:
    """Read `°` as a mark of ordinals after an article or before a noun, and as degrees elsewhere."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    is_degree = _AFTER_DEGREE.match(after) and not (before and _BEFORE_ORDINAL.search(before))
    if not is_degree and int(found[1]) <= _MAX_ORDINAL:
        return f"{found[1]}º"
    one, more = _DEGREES[language]
    return f"{found[1]} {one if found[1] == '1' else more}"


def _ordinal(numerals: Numerals, found: re.Match[str]) -> str:
    masculine = numerals.ordinal(int(found[1]))
    return re.sub(r"o\b", "a", masculine) if found[2] == "ª" else masculine
