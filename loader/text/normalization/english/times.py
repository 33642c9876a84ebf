"""Times and dates: those of computers, ranges of hours and days, short names of months and days, eras."""

import re

from loader.text.normalization.english.rule import Rule
from loader.text.normalization.english.years import pairs
from loader.text.normalization.numerals import Numerals

_DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_MONTHS = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June", "Jul": "July", "Aug": "August",
    "Sep": "September", "Sept": "September", "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAY, _MONTH = "|".join(_DAYS), "|".join(_MONTHS)
_FULL_DAY, _FULL_MONTH = "|".join(set(_DAYS.values())), "|".join([*dict.fromkeys(_MONTHS.values()), "May"])
_TO = r"\s?[-\u2013\u2014]\s?"
_HOUR = r"\d{1,2}(?::\d\d)?"
_NOON = r"(?:[ap]\.?m\b\.?|noon|midnight|midday)"
_ZONE = r"(Z|[+-]\d\d:?\d\d)?"


def _computer_time(found: re.Match[str], numerals: Numerals) -> str:
    day, time, seconds, zone = found.groups()
    hours, minutes = time.split(":")
    said = f"{day} at {_hour(int(hours), int(minutes), numerals)}"
    if seconds and float(seconds):
        said += f" and {numerals.cardinal(int(float(seconds)))} seconds"
    if not zone:
        return said
    offset = 0 if zone == "Z" else int(zone[1:3])
    if not offset:
        return f"{said} U T C"
    return f"{said} U T C {'minus' if zone[0] == '-' else 'plus'} {numerals.cardinal(offset)}"


def _hour(hours: int, minutes: int, numerals: Numerals) -> str:
    if not minutes:
        return f"{numerals.cardinal(hours)} o'clock" if 0 < hours < 13 else f"{numerals.cardinal(hours)} hundred"
    return f"{numerals.cardinal(hours)} {'oh ' if minutes < 10 else ''}{numerals.cardinal(minutes)}"


def _small_month(found: re.Match[str], numerals: Numerals) -> str | None:
    """Say `25 july` as a date; `may` and `march` are other words too."""
    if found[2] in ("may", "march") and not found["year"]:
        return None
    return f"the {numerals.ordinal(int(found[1]))} of {found[2].capitalize()}{found['year'] or ''}"


def _day_month_year(found: re.Match[str], numerals: Numerals) -> str | None:
    """Return the date as the library reads it; one with strokes and a whole year it reads as it is."""
    first, second, year = int(found[1]), int(found[3]), found[4]
    month, day = (second, first) if first > 12 else (first, second)
    if not (0 < month < 13 and 0 < day < 32) or (found[2] == "/" and len(year) == 4):
        return None
    century = "" if len(year) == 4 else "20" if int(year) < 40 else "19"
    return f"{century}{year}-{month:02}-{day:02}"


def _days_of_month(found: re.Match[str], numerals: Numerals) -> str | None:
    first, last = int(found[2]), int(found[3])
    if not 0 < first < last < 32:
        return None
    return f"{found[1]} {numerals.ordinal(first)} to {numerals.ordinal(last)}"


RULES: list[Rule] = [
    (re.compile(rf"\b(\d{{4}}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{{1,9}})?))?{_ZONE}(?![\w:])"), _computer_time),
    (re.compile(r"(?<![\w.,:/-])(\d{1,2})([-/])(\d{1,2})\2(\d{4}|\d\d)(?![\w/-]|[.,]\d)"), _day_month_year),
    (
        re.compile(rf"\b([Tt]he )(\d{{1,2}})(?:st|nd|rd|th)? ({_MONTH}|{_FULL_MONTH})\b\.?"),
        lambda found, numerals: f"{found[1]}{numerals.ordinal(int(found[2]))} of {_MONTHS.get(found[3], found[3])}",
    ),
    (
        re.compile(rf"(?<![\w.,:/-])([12]?\d|3[01]) ({'|'.join(each.lower() for each in _NAMES)})\b(?P<year> \d{{4}}\b)?"),
        _small_month,
    ),
    (re.compile(r"(?<=\d0s)\s?[-\u2013]\s?(?=['\u2019]?\d0s|\d{3}0s)"), lambda found, _: " to "),
    (re.compile(r"(?<![\w.,:])(\d{1,2})\.(\d\d)(?=\s?[ap]\.?m\b)"), lambda found, _: f"{found[1]}:{found[2]}"),
    (re.compile(r"(?<![\w.,:])(\d{1,2}:\d\d)\s?[-\u2013]\s?(?=\d{1,2}:\d\d(?![\w:]))"), lambda found, _: f"{found[1]} to "),
    (
        re.compile(r"(?<![\w.,:])(1[3-9]|2[0-3]):00(?![:\w]|\s?[ap]\.?m\b)"),
        lambda found, numerals: f"{numerals.cardinal(int(found[1]))} hundred",
    ),
    # Ranges, whose names are then said in full.
    (
        re.compile(rf"\b({_DAY}|{_FULL_DAY}){_TO}(?=(?:{_DAY}|{_FULL_DAY})\b)"),
        lambda found, _: f"{_DAYS.get(found[1], found[1])} to ",
    ),
    (re.compile(rf"(?<=day to )({_DAY})\b\.?"), lambda found, _: _DAYS[found[1]]),
    (
        re.compile(rf"\b({_MONTH}|{_FULL_MONTH})\.?{_TO}(?=(?:{_MONTH}|{_FULL_MONTH})\b)"),
        lambda found, _: f"{_MONTHS.get(found[1], found[1])} to ",
    ),
    (re.compile(rf"(?<=[a-z] to )({_MONTH})\b\.?(?! [a-z])"), lambda found, _: _MONTHS[found[1]]),
    (
        re.compile(
            rf"\b({_DAY})\b(?:\.(?= (?:{_MONTH}|{_FULL_MONTH}|\d|at\b|and\b|to\b))|(?=,? (?:(?:{_MONTH}|{_FULL_MONTH})\b|"
            rf"\d{{1,2}}\b)))"
        ),
        lambda found, _: _DAYS[found[1]],
    ),
    (re.compile(r"\b(Mon|Tues?|Weds?|Thurs?|Fri)\.(?!\w)(?!$)"), lambda found, _: _DAYS.get(found[1], "Wednesday")),
    (re.compile(rf"\b({_MONTH})\b\.?(?= (?:1[5-9]|20)\d\d\b)"), lambda found, _: _MONTHS[found[1]]),
    (
        re.compile(r"(?<![\w.,/-])(0?[1-9]|1[0-2])/((?:19|20)\d\d)(?![\w/-]|[.,]\d)"),
        lambda found, numerals: f"{_NAMES[int(found[1]) - 1]} {pairs(found[2], numerals)}",
    ),
    (
        re.compile(r"(?<![\w.,/-])(\d{4})\.(0[1-9]|1[0-2])\.([0-3]\d)(?![\w/-]|[.,]\d)"),
        lambda found, _: f"{found[1]}-{found[2]}-{found[3]}",
    ),
    (
        re.compile(r"(?<![\w.,/-])((?:1[5-9]|20)\d\d)\s?[-\u2013\u2014]\s?(?=(?:present|now|today|date)\b)"),
        lambda found, numerals: f"{pairs(found[1], numerals)} to ",
    ),
    (re.compile(rf"\b({_MONTH})\.(?= [a-z])"), lambda found, _: _MONTHS[found[1]]),
    (
        re.compile(
            rf"\b((?:{_MONTH})\.?|{_FULL_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?{_TO}(\d{{1,2}})(?:st|nd|rd|th)?(?![\w/:-]|[.,]\d)"
        ),
        _days_of_month,
    ),
    (re.compile(rf"(?<=\d)(\s?{_NOON}){_TO}(?={_HOUR}\s?{_NOON}|noon|midnight|midday)"), lambda found, _: f"{found[1]} to "),
    (re.compile(rf"(?<![\w.,:/-])({_HOUR}){_TO}(?={_HOUR}\s?[ap]\.?m\b)"), lambda found, _: f"{found[1]} to "),
    (
        re.compile(r"(?<![\w.,-])(\d{1,4}) ?(BCE?|AD|CE)\b"),
        lambda found, numerals: f"{pairs(found[1], numerals)} {' '.join(found[2])}",
    ),
    (
        re.compile(r"\b([QH])([1-4])[ /-]?(?:FY)?((?:19|20)\d\d)\b"),
        lambda found, numerals: f"{found[1]} {numerals.cardinal(int(found[2]))} {pairs(found[3], numerals)}",
    ),
]
