"""Acronyms that are spelled in German, French, Spanish, Italian and Portuguese: those without a vowel, and frequent others."""

import re
from collections.abc import Mapping
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

_SPELLED: Mapping[str, frozenset[str]] = {
    "de": frozenset(
        "ADAC USA EU ARD AOK CDU CSU EZB EDV IT KI WM EM EKG UKW FAQ IBM USB EC AG ICE IC SUV HIV DNA UN AKW IHK TU FU OP OB "
        "AGB ADHS VIP URL".split()
    ),
    "fr": frozenset("UE USA ADN TVA EDF PIB OMS ONG IA PME BD CE RATP RER HLM USB URL IUT OGM SUV ADSL VIP AOC ARN IRM".split()),
    "es": frozenset("UE OMS DNI IA ADN RTVE USB URL UGT ERC NIF CIF IBI ITV IRPF".split()),
    "it": frozenset("UE IA DNA USB URL SUV OMS".split()),
    "pt": frozenset("EUA UE OMS IA ADN USB URL IBGE IRS".split()),
}
_ACRONYM = re.compile(r"(?:(?<![\w.,:/-])(\d{1,4}) )?(?<![\w.])([A-ZÄÖÜ]{2,5})(?=\d|(?!\w))(?!\.\w)")
_CURRENCIES = frozenset(["CHF", "USD", "EUR", "GBP", "JPY", "CNY", "BRL"])
_UNITS = frozenset(["MB", "GB", "TB", "KB", "MW", "GW", "CV", "TL", "EL"])
_VOWEL = re.compile(r"[AEIOUÄÖÜY]")
_ROMAN = re.compile(r"[IVX]+")
_SMALL = re.compile(r"[a-zà-ÿ]")


def spell_acronyms(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with these in single letters; a text in capitals only is left."""
    return text.substituted(_ACRONYM, partial(_spell, numerals)) if _SMALL.search(text.text) else text


def _spell(numerals: Numerals, found: re.Match[str]) -> str | None:
    number, acronym = found[1] or "", found[2]
    if acronym in _CURRENCIES or (acronym in _UNITS and found.string[: found.start(2)].rstrip()[-1:].isdigit()):
        return None
    is_spelled = acronym in _SPELLED[numerals.language] or not (_VOWEL.search(acronym) or _ROMAN.fullmatch(acronym))
    # The library would read `2 B` as bytes.
    said = f"{numerals.cardinal(int(number))} " if number else ""
    return said + " ".join(acronym) if is_spelled else None
