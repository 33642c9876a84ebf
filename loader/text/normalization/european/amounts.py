"""Amounts with a magnitude (`2,5 M€`, `R$ 3 milhões`), a dash for no cents (`20.–`), or a price for each (`20 €/mois`)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from loader.text.normalization.aligned import AlignedText


@dataclass(frozen=True)
class _Money:
    """Words of one language."""

    #: What is between `millions` and the currency.
    of: str
    #: Plurals of € $ £.
    currencies: tuple[str, str, str]
    #: A pattern for words of magnitudes.
    magnitude: str
    #: Short magnitudes before a currency sign: `M€`.
    short: Mapping[str, str]
    per: str
    #: What is after `/`, if it is not `per` and the word itself: `20 €/mese`.
    each: Mapping[str, str]


_MONEY: Mapping[str, _Money] = {
    "de": _Money(
        "",
        ("Euro", "Dollar", "Pfund"),
        "Tausend|tausend|Million(?:en)?|Milliarden?|Billion(?:en)?",
        {"T": "tausend", "Mio": "Millionen", "Mrd": "Milliarden"},
        "pro",
        {
            "kg": "Kilogramm",
            "m²": "Quadratmeter",
            "m³": "Kubikmeter",
            "qm": "Quadratmeter",
            "l": "Liter",
            "kWh": "Kilowattstunde",
            "h": "Stunde",
            "Std.": "Stunde",
            "km": "Kilometer",
            "t": "Tonne",
        },
    ),
    "fr": _Money(
        "de ",
        ("euros", "dollars", "livres"),
        "mille|millions?|milliards?",
        {"k": "mille", "M": "millions", "Md": "milliards", "Mds": "milliards"},
        "par",
        {
            "kg": "le kilogramme",
            "m²": "le mètre carré",
            "m³": "le mètre cube",
            "l": "le litre",
            "L": "le litre",
            "kWh": "le kilowatt-heure",
            "h": "de l'heure",
            "t": "la tonne",
        },
    ),
    "es": _Money(
        "de ",
        ("euros", "dólares", "libras"),
        "mil|mill[oó]n(?:es)?|billón|billones",
        {"k": "mil", "M": "millones"},
        "por",
        {
            "mes": "al mes",
            "año": "al año",
            "día": "al día",
            "h": "por hora",
            "hora": "por hora",
            "kg": "por kilogramo",
            "m²": "por metro cuadrado",
            "m³": "por metro cúbico",
            "l": "por litro",
            "kWh": "por kilovatio hora",
        },
    ),
    "it": _Money(
        "di ",
        ("euro", "dollari", "sterline"),
        "mila|milion[ei]|miliard[oi]",
        {"k": "mila", "M": "milioni", "mln": "milioni", "mld": "miliardi"},
        "a",
        {
            "mese": "al mese",
            "anno": "all'anno",
            "giorno": "al giorno",
            "ora": "all'ora",
            "h": "all'ora",
            "kg": "al chilogrammo",
            "m²": "al metro quadrato",
            "m³": "al metro cubo",
            "mq": "al metro quadrato",
            "l": "al litro",
            "kWh": "al chilowattora",
            "settimana": "alla settimana",
        },
    ),
    "pt": _Money(
        "de ",
        ("euros", "dólares", "libras"),
        "mil|milh(?:ão|ões)|bilh(?:ão|ões)|bili(?:ão|ões)",
        {"k": "mil", "M": "milhões"},
        "por",
        {
            "h": "por hora",
            "kg": "por quilograma",
            "m²": "por metro quadrado",
            "m³": "por metro cúbico",
            "l": "por litro",
            "kWh": "por quilowatt-hora",
        },
    ),
}
_NO_CENTS = re.compile(r"(?<=\d)[.,](?:-{1,2}|[\u2013\u2014])(?!\w)")
#: spokenform 0.4.5 reads `760 GBP für den` as a rate of exchange (2026-11-30).
_CODES = ("EUR", "USD", "GBP")
_CODE = re.compile(r"(?<=\d )(?:EUR|USD|GBP)\b|\b(?:EUR|USD|GBP)(?= ?\d)")
_US = re.compile(r"\bUS\$")
_SIGNS = "€$£"
_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]]
_AMOUNT = r"(\d[\d.]*(?:,\d+)?)"


def speak_amounts(text: AlignedText, language: str) -> AlignedText:
    """Return the text with these amounts in forms that the library reads."""
    text = text.substituted(_CODE, lambda found: "€$£"[_CODES.index(found[0])])
    text = text.substituted(_NO_CENTS, "").substituted(_US, "$")
    for pattern, speak in _rules(language):
        text = text.substituted(pattern, speak)
    return text


@cache
def _rules(language: str) -> Sequence[_Rule]:
    money = _MONEY[language]
    short = _any_of(money.short)
    of = r"(?:d[ei] )?"
    thing = rf"({_any_of(money.each)})(?![\w/])"
    counted = rf"(?:{'|'.join(money.currencies)}|[Pp]ersonen|[Mm]al|fois|veces|volte|vezes)"
    return (
        (re.compile(rf"(?<!\w)(R\$|[€$£]) ?{_AMOUNT} ({money.magnitude})\b"), partial(_magnitude, money)),
        (re.compile(rf"(?<=\d) ?({short}) ?{of}([€$£])(?!\w)"), partial(_short, money)),
        (re.compile(rf"(?<= )({money.magnitude}) ({short})([€$£])"), partial(_two_magnitudes, money)),
        (re.compile(rf"\b({money.magnitude}) {of}([€$£])(?!\w)"), lambda found: f"{found[1]} {_of(money, found[2])}"),
        (re.compile(rf"(?<=\d)( ?(?:[mµk]?g|m?l|kWh|W|mol|kcal)) ?/ ?{thing}"), partial(_unit_each, money)),
        (re.compile(r"(?<=\d) M(?= d(?:['\u2019]|[ei]\b))"), lambda _: f" {money.short.get('M', 'M')}"),
        (re.compile(rf"(?<=[€$£%\d]) ?/ ?{thing}"), lambda found: _each(money, found[1])),
        (re.compile(r"(?<=[€$£%\d]) ?/ ?([^\W\d_]{3,})(?![\w/])"), lambda found: _each(money, found[1])),
        (re.compile(rf"(?<=\d)( {counted})/([^\W\d_]{{3,}})(?![\w/])"), lambda found: found[1] + _each(money, found[2])),
    )


def _any_of(written: Mapping[str, str]) -> str:
    return "|".join(map(re.escape, sorted(written, key=len, reverse=True)))


def _of(money: _Money, sign: str) -> str:
    currency = money.currencies[_SIGNS.index(sign)]
    is_elided = money.per == "par" and currency[0] == "e"
    return f"d'{currency}" if is_elided else money.of + currency


def _magnitude(money: _Money, found: re.Match[str]) -> str:
    return f"{found[2]} {found[3]} " + (f"{money.of}reais" if found[1] == "R$" else _of(money, found[1]))


def _short(money: _Money, found: re.Match[str]) -> str:
    return f" {money.short[found[1]]} {_of(money, found[2])}"


def _two_magnitudes(money: _Money, found: re.Match[str]) -> str:
    return f"{found[1]} {money.short[found[2]]} {_of(money, found[3])}"


def _unit_each(money: _Money, found: re.Match[str]) -> str:
    """Return `mg par kilogramme` for `mg/kg`: without the article of prices."""
    name = re.sub(rf"^(?:le |la |al |all'|alla |de l'|{money.per} )", "", money.each[found[2]])
    return f"{found[1]} {'per' if money.per == 'a' else money.per} {name}"


def _each(money: _Money, word: str) -> str:
    each = money.each.get(word)
    return f" {each}" if each and " " in each else f" {money.per} {each or word}"
