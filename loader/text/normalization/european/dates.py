"""Dates in French, Spanish, Italian and Portuguese that the library does not know: `14/02`, `1 mai`, `31-12-2023`."""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

MONTH_NAMES: Mapping[str, Sequence[str]] = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split(),
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split(),
}
_FIRST_DAYS = {"fr": "premier", "it": "primo"}
_DAY, _MONTH, _END = r"(0?[1-9]|[12]\d|3[01])", r"(0?[1-9]|1[0-2])", r"(?![\w/]|[.,]\d)"
#: Without a zero, it may be a fraction.
_DAY_MONTH = re.compile(rf"(?<![\w.,/-]){_DAY}/(0[1-9]){_END}")
#: The last letters of days of the week.
_WEEKDAY = "nes|tes|les|ado|ngo|edì|ato|ica|nda|rça|rta|nta|xta|ira|ndi|rdi|edi|che"
_WEEKDAY_MONTH = re.compile(rf"(?:(?<=(?:{_WEEKDAY}) )|(?<=(?:{_WEEKDAY}), )){_DAY}/{_MONTH}{_END}")
_FIRST = {language: re.compile(rf"(?<![\w.,/-])0?1(?= (?:{'|'.join(MONTH_NAMES[language])})\b)") for language in _FIRST_DAYS}
_ITALIAN_FIRST = re.compile(rf"(?<![\w./-])0?1[-/.]{_MONTH}[-/.](\d{{4}})(?![\w/-]|\.\d)")
_SPANISH = re.compile(rf"(?<![\w.,/-]){_DAY}(?= de (?:{'|'.join(MONTH_NAMES['es'])}|setiembre)\b)")
_PORTUGUESE = re.compile(rf"(?<![\w./-]){_DAY}[-/.]{_MONTH}[-/.](\d{{4}}|\d\d)(?![\w/-]|\.\d)")
_JUNE = re.compile(r"(?<![\w.,/-])(\d{1,2})(?= juin\b)")


_WEEKDAYS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "de": (
        "bis",
        dict(
            zip(
                "Mo Di Mi Do Fr Sa So".split(), "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(), strict=True
            )
        ),
    ),
    "fr": (
        "à",
        dict(
            zip("lun mar mer jeu ven sam dim".split(), "lundi mardi mercredi jeudi vendredi samedi dimanche".split(), strict=True)
        ),
    ),
    "es": (
        "a",
        dict(
            zip(
                "lun mar mié jue vie sáb dom".split(), "lunes martes miércoles jueves viernes sábado domingo".split(), strict=True
            )
        ),
    ),
    "it": (
        "a",
        dict(
            zip(
                "lun mar mer gio ven sab dom".split(),
                "lunedì martedì mercoledì giovedì venerdì sabato domenica".split(),
                strict=True,
            )
        ),
    ),
    "pt": (
        "a",
        dict(zip("seg ter qua qui sex sáb dom".split(), "segunda terça quarta quinta sexta sábado domingo".split(), strict=True)),
    ),
}
_WEEKDAY_SPANS = {
    language: re.compile(
        rf"\b({'|'.join(days)})\.? ?[-\u2013] ?({'|'.join(days)})\b\.?", re.NOFLAG if language == "de" else re.IGNORECASE
    )
    for language, (_, days) in _WEEKDAYS.items()
}


def speak_weekdays(text: AlignedText, language: str) -> AlignedText:
    """Return the text with `Montag bis Freitag` for `Mo-Fr`."""
    to, days = _WEEKDAYS[language]
    names = days if language == "de" else {day.lower(): name for day, name in days.items()}

    def say(found: re.Match[str]) -> str:
        first, last = (each if language == "de" else each.lower() for each in found.groups())
        return f"{names[first]} {to} {names[last]}"

    return text.substituted(_WEEKDAY_SPANS[language], say)


def speak_dates(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with these dates, or their days, in words."""
    language = numerals.language
    if language not in MONTH_NAMES:
        return text
    for pattern in (_DAY_MONTH, _WEEKDAY_MONTH):
        text = text.substituted(pattern, partial(_speak, numerals))
    if language in _FIRST:
        text = text.substituted(_FIRST[language], _FIRST_DAYS[language])
    if language == "it":
        text = text.substituted(_ITALIAN_FIRST, lambda found: f"{day_and_month(1, int(found[1]), numerals)} {found[2]}")
    # spokenform 0.4.5 cuts `del` and `desde` after a date, and says `juillet` for `15 juin` (2026-11-30).
    if language == "es":
        text = text.substituted(_SPANISH, lambda found: numerals.cardinal(int(found[1])))
    if language == "fr":
        text = text.substituted(_JUNE, lambda found: numerals.cardinal(int(found[1])))
    return text.substituted(_PORTUGUESE, partial(_whole_date, numerals)) if language == "pt" else text


def day_and_month(day: int, month: int, numerals: Numerals) -> str:
    """Return `premier mai`, `tres de mayo`; `month` is 1 for January."""
    language = numerals.language
    said = (_FIRST_DAYS.get(language) if day == 1 else None) or numerals.cardinal(day)
    return f"{said} {'de ' if language in ('es', 'pt') else ''}{MONTH_NAMES[language][month - 1]}"


def _speak(numerals: Numerals, found: re.Match[str]) -> str:
    return day_and_month(int(found[1]), int(found[2]), numerals)


def _whole_date(numerals: Numerals, found: re.Match[str]) -> str:
    return f"{day_and_month(int(found[1]), int(found[2]), numerals)} de {numerals.cardinal(int(found[3]))}"
