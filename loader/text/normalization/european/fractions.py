"""Fractions: halves in the gender of what follows, mixed numbers (`1½`), and all of them in Portuguese."""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.european.agreement import is_feminine
from loader.text.normalization.european.dates import day_and_month
from loader.text.normalization.numerals import Numerals

_SIGNS = {
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "⅓": "1/3",
    "⅔": "2/3",
    "⅛": "1/8",
    "⅜": "3/8",
    "⅝": "5/8",
    "⅞": "7/8",
    "⅕": "1/5",
    "⅖": "2/5",
}
_SIGN = re.compile(rf"(?<=\d) ?([{''.join(_SIGNS)}])|([{''.join(_SIGNS)}])")
_WORD = r"(?: ([^\W\d_]+))?"
_MIXED = re.compile(rf"(?<![\w.,/:])(\d{{1,3}}) ([1-9])/([2-9])(?![\w/]|[.,]\d){_WORD}")
_HALF = re.compile(rf"(?<![\w.,/:])1/2(?![\w/]|[.,]\d){_WORD}")
_FRACTION = re.compile(r"(?<![\w.,/:])(\d{1,2})/(\d{1,3})(?![\w/]|[.,]\d)")
_SEASON = re.compile(r"(?<![\w.,/:-])((?:19|20)\d\d)/(\d\d|(?:19|20)\d\d)(?![\w/]|[.,]\d)")
_RATIO = re.compile(r"(?<![\w.,/:-])([1-9]\d{1,2})/([1-9]\d{1,2})(?![\w/]|[.,]\d)")
_OVER = {"de": "zu", "fr": "sur", "es": "sobre", "it": "su", "pt": "por"}
_GERMAN = re.compile(r"(?<![\w.,/:])([1-9])/([3-9]|10)(?![\w/]|[.,]\d)")
_GERMAN_PARTS = {
    "3": "Drittel",
    "4": "Viertel",
    "5": "Fünftel",
    "6": "Sechstel",
    "7": "Siebtel",
    "8": "Achtel",
    "9": "Neuntel",
    "10": "Zehntel",
}
_ALL_DAY = re.compile(r"(?<![\w/.,])24/7(?![\w/]|[.,]\d)")
#: After a whole number: halves, quarters, three quarters, thirds.
_MORE: Mapping[str, Mapping[str, str]] = {
    "fr": {"1/2": "et demi", "1/4": "et quart", "3/4": "trois quarts", "1/3": "et un tiers", "2/3": "et deux tiers"},
    "es": {"1/2": "y medio", "1/4": "y cuarto", "3/4": "y tres cuartos", "1/3": "y un tercio", "2/3": "y dos tercios"},
    "it": {"1/2": "e mezzo", "1/4": "e un quarto", "3/4": "e tre quarti", "1/3": "e un terzo", "2/3": "e due terzi"},
    "pt": {"1/2": "e meio", "1/4": "e um quarto", "3/4": "e três quartos", "1/3": "e um terço", "2/3": "e dois terços"},
    "de": {
        "1/2": "einhalb",
        "1/4": "einviertel",
        "3/4": "dreiviertel",
        "1/3": "eindrittel",
        "2/3": "zweidrittel",
        "1/8": "einachtel",
        "3/8": "dreiachtel",
        "5/8": "fünfachtel",
        "7/8": "siebenachtel",
        "1/5": "einfünftel",
        "2/5": "zweifünftel",
    },
}
_HALVES = {"fr": ("un demi", "une demi"), "es": ("medio", "media"), "it": ("mezzo", "mezza"), "pt": ("meio", "meia")}
_UNITS: Mapping[str, Mapping[str, str]] = {
    "de": {
        "l": "Liter",
        "kg": "Kilogramm",
        "g": "Gramm",
        "km": "Kilometer",
        "m": "Meter",
        "h": "Stunde",
        "Std": "Stunden",
        "TL": "Teelöffel",
        "EL": "Esslöffel",
    },
    "fr": {"l": "litre", "kg": "kilogramme", "km": "kilomètre", "m": "mètre", "h": "heure"},
    "es": {"l": "litro", "kg": "kilogramo", "km": "kilómetro", "m": "metro", "h": "hora"},
    "it": {"l": "litro", "kg": "chilogrammo", "km": "chilometro", "m": "metro", "h": "ora"},
    "pt": {"l": "litro", "kg": "quilograma", "km": "quilómetro", "m": "metro", "h": "hora"},
}
_GERMAN_HALVES: Sequence[tuple[re.Pattern[str], str]] = (
    (
        re.compile(
            r"Stunde|Tasse|Flasche|Million|Milliarde|Seite|Portion|Minute|Tonne|Packung|Zwiebel|Zitrone|Gurke|Paprika|"
            r"Drehung|Note"
        ),
        "eine halbe",
    ),
    (re.compile(r"Jahr|Kilo(?:gramm)?|Pfund|Dutzend|Brot|Glas|Päckchen|Hähnchen|Prozent|Gramm|Leben|Jahrhundert"), "ein halbes"),
    (
        re.compile(r"Liter|Kilometer|Meter|Zentimeter|Tag|Monat|Apfel|Teelöffel|Esslöffel|Becher|Würfel|Kopf|Punkt|Bund"),
        "ein halber",
    ),
)
_PARTS = ("", "", "meio", "terço", "quarto", "quinto", "sexto", "sétimo", "oitavo", "nono", "décimo")
_PORTUGUESE_DAY = re.compile(r"\b(?:[Ee]m|[Dd]ia|[Dd]e|[Aa]té|[Dd]esde|[Dd]ata:?|[Aa] partir de) $")


def speak_fractions(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with these fractions in words."""
    text = text.substituted(_SIGN, lambda found: f" {_SIGNS[found[1]]}" if found[1] else _SIGNS[found[2]])
    if "/" not in text.text:
        return text
    text = text.substituted(_ALL_DAY, f"{numerals.cardinal(24)} {numerals.cardinal(7)}")
    text = text.substituted(_SEASON, lambda found: f"{found[1]} {found[2]}")
    text = text.substituted(_RATIO, partial(_ratio, numerals.language))
    text = text.substituted(_MIXED, partial(_mixed, numerals)).substituted(_HALF, partial(_half, numerals.language))
    if numerals.language == "de":
        return text.substituted(
            _GERMAN, lambda found: f"{numerals.cardinal(int(found[1])).replace('eins', 'ein')} {_GERMAN_PARTS[found[2]]}"
        )
    return text.substituted(_FRACTION, partial(_portuguese, numerals)) if numerals.language == "pt" else text


def _ratio(language: str, found: re.Match[str]) -> str | None:
    one, other = int(found[1]), int(found[2])
    if one == other:
        return f"{one} {other}"
    return f"{one} {_OVER[language]} {other}" if one > other else None


def _mixed(numerals: Numerals, found: re.Match[str]) -> str | None:
    language, number, fraction, noun = numerals.language, int(found[1]), f"{found[2]}/{found[3]}", found[4]
    more = _MORE[language].get(fraction)
    if not more:
        return None
    noun = _UNITS[language].get(noun, noun)
    if language == "de":
        return re.sub("eins$", "ein", numerals.cardinal(number)) + more + (f" {noun}" if noun else "")
    if not noun or len(noun) < 3:
        return f"{numerals.cardinal(number)} {more}" + (f" {noun}" if noun else "")
    singular = f"{noun[:-1]}a" if language == "it" and noun[-1] == "e" else noun
    if is_feminine(singular, language) and fraction == "1/2":
        more = {"fr": "et demie", "es": "y media", "it": "e mezza", "pt": "e meia"}[language]
    return f"{number} {_singular(noun, language) if number == 1 else noun} {more}"


def _singular(noun: str, language: str) -> str:
    if language == "it":
        return noun[:-1] + {"e": "a", "i": "o"}.get(noun[-1], noun[-1])
    return noun.removesuffix("s")


def _half(language: str, found: re.Match[str]) -> str:
    noun = _UNITS[language].get(found[1], found[1])
    following = f" {noun}" if noun else ""
    if language == "de":
        return next((half for nouns, half in _GERMAN_HALVES if noun and nouns.fullmatch(noun)), "ein halb") + following
    if language == "it" and noun == "ora":
        return "mezz'ora"
    masculine, feminine = _HALVES[language]
    return (feminine if noun and is_feminine(noun, language) else masculine) + following


def _portuguese(numerals: Numerals, found: re.Match[str]) -> str | None:
    upper, lower = int(found[1]), int(found[2])
    if _PORTUGUESE_DAY.search(found.string[: found.start()]) and 1 <= upper <= 31 and 1 <= lower <= 12:
        return day_and_month(upper, lower, numerals)
    if not 2 <= lower < len(_PARTS):
        return f"{numerals.cardinal(upper)} sobre {numerals.cardinal(lower)}"
    return f"{numerals.cardinal(upper)} {_PARTS[lower]}{'s' if upper > 1 else ''}"
