"""Numbers that are said in pairs of digits: years, house numbers, rooms; and decades."""

import re

from loader.text.normalization.english.rule import Rule
from loader.text.normalization.numerals import Numerals

_YEAR = r"(10[3-9]\d|1[1-9]\d\d|20\d\d)"
_MONTHS = (
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?|January|February|March|April|May|June|July|August|September|October|"
    "November|December"
)
_BEFORE_YEAR = (
    "(?:in|since|until|till|before|after|around|circa|during|by|from|year|early|late|mid|spring|summer|autumn|fall|winter|of|the"
    "|an?|this|that|his|her|"
    "its|our|their|my|©|"
    rf"{_MONTHS})"
)
_NO_UNIT = (
    r"(?![\w/]|[.,:]\d|-\d|\s?[%$€£°]|\s(?!(?:was|is|has|as|this|his|its|less|thus|always|across|plus|minus|versus|years?)\b)"
    r"(?:[a-z]+s|km|kg|m|g|cm|mm|people|men|women|children)\b)"
)
_STREET = (
    r"(?:St|Street|Ave|Avenue|Rd|Road|Blvd|Boulevard|Ln|Lane|Dr|Drive|Ct|Court|Hwy|Highway|Pl|Place|Sq|Square|Expy|Pkwy|Way|"
    r"Terrace|Expressway|Parkway|Circle)\b"
)
_HOUSE = (
    rf"(?<![\w.,$])(\d{{1,5}})(?= (?:[NSEW]\.? |(?:North|South|East|West) )?(?:\d+(?:st|nd|rd|th) |[A-Z][a-z]+ ){{0,3}}{_STREET})"
)
_ROOM = (
    r"(?:room|apt\.?|apartment|suite|flat|gate|unit|seat|building|flight|bus|route|highway|platform|bay|box|port|Boeing|Airbus|"
    r"interstate)"
)
_LAST_YEAR = r"(?<![\w.,$€£/-])(1[1-9]\d\d|20[1-9]\d)(?=[.!?]?$|[,;:)`\"\u201d](?!\d))"
#: A number of seconds follows.
_SPAN = ("for", "after", "takes", "took", "wait", "waited", "within", "every", "about", "of", "under", "lasts", "lasted")
#: A number of four digits that counts nothing is a year.
_LONE_YEAR = r"(?<![\w.,$€£¥/:+=<>*^-])(?<![-+=<>×÷*^] )(1[6-9]\d\d|20[0-4]\d)"
_TENS = {
    "1": "tens", "2": "twenties", "3": "thirties", "4": "forties", "5": "fifties", "6": "sixties", "7": "seventies",
    "8": "eighties",
    "9": "nineties",
}  # fmt: skip


def pairs(digits: str, numerals: Numerals) -> str:
    """Return `nineteen eighty five` for `1985`, `one oh one` for `101`, `nine` for `9`; five digits or more one by one."""
    if len(digits) > 4 or (digits[0] == "0" and len(digits) > 1):
        return numerals.digits(digits)
    number = int(digits)
    if len(digits) < 3:
        return numerals.cardinal(number)
    hundreds, rest = divmod(number, 100)
    if number % 1000 < 10 and len(digits) == 4 or not rest and len(digits) == 3:
        return numerals.cardinal(number)
    if not rest:
        return f"{numerals.cardinal(hundreds)} hundred"
    return f"{numerals.cardinal(hundreds)} {'oh ' if rest < 10 else ''}{numerals.cardinal(rest)}"


def count(number: str, numerals: Numerals) -> str:
    """Return the words of `1,200`; a number that may be a year is one."""
    if re.fullmatch(r"1[6-9]\d\d|20[0-4]\d", number):
        return pairs(number, numerals)
    return numerals.cardinal(int(number.replace(",", "")))


def _decade(found: re.Match[str], numerals: Numerals) -> str:
    if found[2] == "0":
        return "two thousands" if found[1] == "20" else f"{numerals.cardinal(int(found[1]))} hundreds"
    return f"{numerals.cardinal(int(found[1]))} {_TENS[found[2]]}"


#: In this order: ranges of years before years, streets before what is left of them.
RULES: list[Rule] = [
    (
        re.compile(rf"(?<![\w.,$€£]){_YEAR} to {_YEAR}{_NO_UNIT}"),
        lambda found, numerals: f"{pairs(found[1], numerals)} to {pairs(found[2], numerals)}",
    ),
    (re.compile(r"(?<![\w.,])(1[1-9]|20)(\d)0['\u2019]?s\b"), lambda found, numerals: _decade(found, numerals)),
    (
        re.compile(rf"(?<![\w.,$€£:/-])(?<!{'(?<!'.join(f'{each} )' for each in _SPAN)}([2-9])0['\u2019]?s\b"),
        lambda found, _: _TENS[found[1]],
    ),
    (re.compile(r"\b((?:early|late|mid)[ -])['\u2019]?([2-9])0['\u2019]?s\b", re.I), lambda found, _: found[1] + _TENS[found[2]]),
    (re.compile(r"(?<!\w)['\u2019]([2-9])0s\b"), lambda found, _: _TENS[found[1]]),
    (re.compile(_HOUSE), lambda found, numerals: pairs(found[1], numerals)),
    (
        re.compile(rf"\b({_ROOM} )(\d{{3,4}}|\d{{1,2}}(?=[A-Z]\b))((?-i:[A-Z])?)\b(?![.,]\d)", re.I),
        lambda found, numerals: f"{found[1]}{pairs(found[2], numerals)} {found[3]}".rstrip(),
    ),
    (re.compile(rf"\b({_BEFORE_YEAR}[ -]){_YEAR}{_NO_UNIT}", re.I), lambda found, numerals: found[1] + pairs(found[2], numerals)),
    (re.compile(rf"{_LONE_YEAR}(?! ?[-+=<>×÷*^(]){_NO_UNIT}(?= [A-Za-z])"), lambda found, numerals: pairs(found[1], numerals)),
    (re.compile(_LAST_YEAR), lambda found, numerals: pairs(found[1], numerals)),
]
