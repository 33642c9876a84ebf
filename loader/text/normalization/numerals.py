"""Numerals: numbers in words, by the library."""

import re
from dataclasses import dataclass
from functools import lru_cache

from loader.text.normalization.spokenform_library import library_of

_GROUP = re.compile(r"\d+")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
#: spokenform 0.4.5 has none of these.
_SPANISH_ORDINALS = (
    "cero primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo decimotercero decimocuarto "
    "decimoquinto decimosexto decimoséptimo decimoctavo decimonoveno"
).split()
_SPANISH_TENS = "vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo".split()
#: The library's Spanish ends at 10**9, and says `veintiuno mil` (spokenform 0.4.5, 2026-11-30).
_SPANISH_MILLIONS = 10**6
MAX_SPANISH = 10**12
_ONE_BEFORE_THOUSAND = re.compile(r"(veinti)?uno(?= mil(?:lones)?\b)")


@dataclass(frozen=True)
class Numerals:
    """The numbers of one language, such as `en`."""

    language: str

    def cardinal(self, number: int) -> str:
        """Return `twenty one` for 21; digit by digit above the library's range."""
        return _cardinal(self.language, number) or self.digits(str(number))

    def ordinal(self, number: int) -> str:
        """Return `twenty-first` for 21, or the cardinal above the library's range."""
        if self.language == "es":
            return _spanish_ordinal(number) or self.cardinal(number)
        try:
            return library_of(self.language).ordinal(number)
        except ValueError:
            return self.cardinal(number)

    def year(self, number: int) -> str:
        """Return `nineteen eighty-four` for 1984; "" if the library has no words for it."""
        from spokenform.number_words import year  # late, as above

        try:
            return year(number, self.language)
        except ValueError:
            return ""

    def digits(self, digits: str) -> str:
        """Return `one zero` for `10`; the digits themselves in a language that the library does not know."""
        return " ".join(_cardinal(self.language, int(each)) or each for each in digits)

    def digit_groups(self, written: str) -> str:
        """Return the digits one by one, with commas between their groups."""
        return ", ".join(map(self.digits, _GROUP.findall(written)))

    def telephone(self, written: str) -> str:
        """Return the digits one by one, with commas between their groups; French ones in pairs."""
        if self.language != "fr":
            return self.digit_groups(written)
        groups = [pair for group in _GROUP.findall(written) for pair in _pairs(group)]
        return ", ".join(self.cardinal(int(each)) if each[0] != "0" else self.digits(each) for each in groups)


def _spanish_ordinal(number: int) -> str:
    if number < len(_SPANISH_ORDINALS):
        return _SPANISH_ORDINALS[number]
    if number > 99:
        return ""
    tens, one = _SPANISH_TENS[number // 10 - 2], number % 10
    return f"{tens} {_SPANISH_ORDINALS[one]}" if one else tens


@lru_cache(4096)
def _cardinal(language: str, number: int) -> str:
    if language == "es" and _SPANISH_MILLIONS <= number < MAX_SPANISH:
        millions, rest = divmod(number, _SPANISH_MILLIONS)
        said = "un millón" if millions == 1 else _before_thousand(f"{_cardinal('es', millions)} millones")
        return f"{said} {_cardinal('es', rest)}" if rest else said
    try:
        said = library_of(language).cardinal(number)
    except ValueError:
        return ""
    if language == "en":
        # As the library says numbers inside a text: `one thousand two hundred five`.
        return said.replace(",", "").replace(" and ", " ")
    return _before_thousand(said) if language == "es" else said


def _before_thousand(said: str) -> str:
    return _ONE_BEFORE_THOUSAND.sub(lambda found: "veintiún" if found[1] else "un", said)


def roman_value(numeral: str) -> int:
    """Return 14 for `XIV`."""
    values = [_ROMAN[each] for each in numeral]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def _pairs(group: str) -> list[str]:
    return [group[place : place + 2] for place in range(0, len(group), 2)] if len(group) % 2 == 0 else [group]
