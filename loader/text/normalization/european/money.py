"""Money in euros, dollars, pounds and reais, in German, French, Spanish, Italian and Portuguese: `vingt-sept euros cinquante`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.european.agreement import counted
from loader.text.normalization.numerals import Numerals

_NUMBER = r"(\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3})+\.\d\d(?!\d)|\d{1,15}(?:[.,]\d+)?)"
_MONEY = re.compile(rf"(?<![\w.,:/])(?:(R\$|[€$£]) ?{_NUMBER}|{_NUMBER} ?([€$£]))(?![\w$€£]|[.,]\d)")
_AMERICAN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d\d)?")
_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")
#: By language and sign: one, more, a hundredth, more of them.
_NAMES: Mapping[str, Mapping[str, tuple[str, str, str, str]]] = {
    "de": {
        "€": ("Euro", "Euro", "Cent", "Cent"),
        "$": ("Dollar", "Dollar", "Cent", "Cent"),
        "£": ("Pfund", "Pfund", "Penny", "Pence"),
    },
    "fr": {
        "€": ("euro", "euros", "centime", "centimes"),
        "$": ("dollar", "dollars", "cent", "cents"),
        "£": ("livre sterling", "livres sterling", "penny", "pence"),
    },
    "es": {
        "€": ("euro", "euros", "céntimo", "céntimos"),
        "$": ("dólar", "dólares", "centavo", "centavos"),
        "£": ("libra", "libras", "penique", "peniques"),
    },
    "it": {
        "€": ("euro", "euro", "centesimo", "centesimi"),
        "$": ("dollaro", "dollari", "centesimo", "centesimi"),
        "£": ("sterlina", "sterline", "penny", "pence"),
    },
    "pt": {
        "€": ("euro", "euros", "cêntimo", "cêntimos"),
        "$": ("dólar", "dólares", "centavo", "centavos"),
        "£": ("libra", "libras", "péni", "pence"),
    },
}
_REAL = ("real", "reais", "centavo", "centavos")
#: Before hundredths, and after whole millions.
_AND = {"de": "", "fr": "", "es": "con ", "it": "e ", "pt": "e "}
_OF = {"de": "", "fr": "de ", "es": "de ", "it": "di ", "pt": "de "}
_FEMININE = frozenset(["livre sterling", "livres sterling", "libra", "libras", "sterlina", "sterline"])
#: A feminine and a masculine noun that numbers agree with.
_LIKE: Mapping[str, tuple[str, str]] = {
    "fr": ("heure", "jour"),
    "es": ("hora", "libro"),
    "it": ("casa", "libro"),
    "pt": ("hora", "livro"),
}


@dataclass(frozen=True)
class _Amount:
    whole: int
    #: As written, without the mark.
    decimals: str


def speak_money(text: AlignedText, numerals: Numerals, decimal: str) -> AlignedText:
    """Return the text with amounts of money in words; `decimal` is said before more than two decimals."""
    return text.substituted(_MONEY, partial(_speak, numerals, decimal))


def _speak(numerals: Numerals, decimal: str, found: re.Match[str]) -> str | None:
    sign, written = found[1] or found[4], found[2] or found[3]
    if sign == "R$" and numerals.language != "pt":
        return None
    names = _REAL if sign == "R$" else _NAMES[numerals.language][sign]
    return _say(_parse(written, is_prefixed=bool(found[1])), names, numerals, decimal)


def _parse(written: str, is_prefixed: bool) -> _Amount:
    if is_prefixed and _AMERICAN.fullmatch(written):
        whole, _, decimals = written.replace(",", "").partition(".")
    elif _GROUPED.fullmatch(written):
        whole, _, decimals = written.replace(".", "").partition(",")
    else:
        whole, _, decimals = written.replace(",", ".").partition(".")
    return _Amount(int(whole), decimals)


def _say(amount: _Amount, names: tuple[str, str, str, str], numerals: Numerals, decimal: str) -> str:
    one, more, hundredth, hundredths = names
    if len(amount.decimals) > 2:
        return f"{numerals.cardinal(amount.whole)} {decimal} {numerals.digits(amount.decimals)} {more}"
    name = one if amount.whole == 1 else more
    cents = int(amount.decimals.ljust(2, "0")) if amount.decimals else 0
    if not amount.whole and cents:
        return f"{_count(cents, hundredth, numerals)} {hundredth if cents == 1 else hundredths}"
    said = f"{_count(amount.whole, name, numerals)} {_of(amount.whole, name, numerals.language)}"
    if not cents:
        return said
    suffix = f" {hundredth if cents == 1 else hundredths}" if numerals.language == "pt" else ""
    return f"{said} {_AND[numerals.language]}{_count(cents, hundredth, numerals) if suffix else numerals.cardinal(cents)}{suffix}"


def _of(whole: int, name: str, language: str) -> str:
    if not whole or whole % 10**6:
        return name
    return f"d'{name}" if language == "fr" and name[0] == "e" else _OF[language] + name


def _count(number: int, name: str, numerals: Numerals) -> str:
    if numerals.language == "de":
        return re.sub("eins$", "ein", numerals.cardinal(number))
    feminine, masculine = _LIKE[numerals.language]
    return counted(number, feminine if name in _FEMININE else masculine, numerals)
