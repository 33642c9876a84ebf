"""Times of the day in German, French, Spanish, Italian and Portuguese, where the library's hours have no gender or no minutes."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.european.agreement import counted
from loader.text.normalization.numerals import Numerals

_HOUR, _MINUTE = r"(?<![\w.,:/-])([01]?\d|2[0-4])", r"([0-5]\d)"
_END = r"(?![\w:]|[.,]\d)"
_Speak = Callable[[re.Match[str], Numerals], str | None]


def _german(found: re.Match[str], numerals: Numerals) -> str:
    return f"{found[1]}:{found[2]}"


def _german_seconds(found: re.Match[str], numerals: Numerals) -> str:
    hour, minute, second = (numerals.cardinal(int(each)) for each in found.groups())
    return f"{re.sub('eins$', 'ein', hour)} Uhr {minute} und {second} Sekunden"


def _french(found: re.Match[str], numerals: Numerals) -> str:
    hour, minute = int(found[1]), int(found[2] or found[3] or 0)
    said = f"{counted(hour, 'heures', numerals)} heure{'s' if hour > 1 else ''}"
    return f"{said} {numerals.cardinal(minute)}" if minute else said


def _spanish(found: re.Match[str], numerals: Numerals) -> str:
    hour, minute, half, suffix = int(found[1]), int(found[2]), found[3], found[4]
    if half:
        hour = hour % 12 or 12
    said = counted(hour, "horas", numerals) + (f" y {numerals.cardinal(minute)}" if minute else "")
    return f"{said} {_half(half, int(found[1]))}" if half else f"{said} horas" if suffix else said


def _spanish_hour(found: re.Match[str], numerals: Numerals) -> str:
    return f"{counted(int(found[1]) % 12 or 12, 'horas', numerals)} {_half(found[2], int(found[1]))}"


def _half(half: str, hour: int) -> str:
    if half.strip().lower().startswith("a"):
        return "de la mañana"
    return "de la noche" if 8 <= hour % 12 else "de la tarde"


def _italian_one(found: re.Match[str], numerals: Numerals) -> str:
    minute = int(found[2])
    return f"{found[1][:-1]}'una" + (f" e {numerals.cardinal(minute)}" if minute else "")


def _italian_one_elided(found: re.Match[str], numerals: Numerals) -> str:
    return f"{found[1]}'una" + (f" e {numerals.cardinal(int(found[2]))}" if int(found[2]) else "")


def _italian(found: re.Match[str], numerals: Numerals) -> str:
    return f"{found[1]}:{found[2]}"


def _portuguese(found: re.Match[str], numerals: Numerals) -> str | None:
    hour, mark, minute = int(found[1]), found[2], int(found[3] or 0)
    if mark == ":" and found[3] is None:
        return None
    said = counted(hour, "horas", numerals)
    # `vinte e oito` would be 28.
    if (
        mark not in ":."
        or (hour == 20 and 0 < minute < 10)
        or (not minute and (hour == 0 or not _AFTER_ARTICLE.search(found.string[: found.start()])))
    ):
        said += " horas" if hour > 1 else " hora"
    return said + (f" e {numerals.cardinal(minute)}" if minute else "")


_AFTER_ARTICLE = re.compile(r"(?:\b(?:as|das|pelas)|\b[àÀ]s?) $", re.IGNORECASE)
_PERIOD = r"( ?[aApP]\. ?[mM]\.)"
_RULES: Mapping[str, Sequence[tuple[re.Pattern[str], _Speak]]] = {
    "de": (
        (re.compile(rf"{_HOUR}\.{_MINUTE}(?=(?: ?(?:[-\u2013]|bis) ?\d\d?[.:]\d\d)? ?(?:Uhr|h)\b)"), _german),
        (re.compile(rf"{_HOUR}:{_MINUTE}:{_MINUTE}(?: Uhr\b)?{_END}"), _german_seconds),
    ),
    "fr": ((re.compile(rf"{_HOUR}(?: ?[hH] ?{_MINUTE}?| ?: ?{_MINUTE})(?: ?min\b)?{_END}"), _french),),
    "es": (
        (re.compile(rf"{_HOUR}:{_MINUTE}(?:{_PERIOD}|( ?h(?:oras|rs?|s)?\b\.?))?{_END}"), _spanish),
        (re.compile(rf"{_HOUR}\.{_MINUTE}(?:{_PERIOD}|( ?h(?:oras|rs?|s)?\b\.?)){_END}"), _spanish),
        (re.compile(rf"(?<=\blas ){_HOUR}\.{_MINUTE}(?:{_PERIOD}|( h\b))?{_END}"), _spanish),
        (re.compile(rf"{_HOUR}{_PERIOD}"), _spanish_hour),
    ),
    "it": (
        (re.compile(rf"\b((?:[Aa]|[Dd]a)?[Ll]le) 0?1[:.]{_MINUTE}{_END}"), _italian_one),
        (
            re.compile(rf"\b((?:[Aa]l|[Dd]al)?[Ll]e?)'1[:.]{_MINUTE}{_END}"),
            lambda found, numerals: _italian_one_elided(found, numerals),
        ),
        (re.compile(r"\b[hH] (?=\d\d?[:.]\d\d)"), lambda found, _: "ore "),
        (re.compile(rf"(?<=\bore )([01]?\d|2[0-4])\.{_MINUTE}{_END}"), _italian),
    ),
    "pt": (
        (re.compile(rf"(?<=[àÀ]s )([01]?\d|2[0-4])(\.){_MINUTE}{_END}"), _portuguese),
        (re.compile(rf"{_HOUR}(:| ?[hH] ?){_MINUTE}?(?: ?min\b)?{_END}"), _portuguese),
    ),
}


_SPAN = re.compile(
    rf"(?<![\w.,:/-])(\d\d?(?:[h:.]\d\d|h)?(?: ?[hH])?) ?[-\u2013] ?(?=\d\d?(?:[h:.]\d\d ?(?:h|Uhr)\b|:\d\d| "
    rf"?[hH]\b|h\d\d| Uhr\b){_END})"
)


def speak_times(text: AlignedText, numerals: Numerals, to: str) -> AlignedText:
    """Return the text with these times in words, or in a form that the library reads; `to` is said between two."""
    text = text.substituted(_SPAN, lambda found: f"{found[1]} {to} ")
    for pattern, speak in _RULES[numerals.language]:
        text = text.substituted(pattern, partial(_apply, speak, numerals))
    return text


def _apply(speak: _Speak, numerals: Numerals, found: re.Match[str]) -> str | None:
    return speak(found, numerals)
