"""Abbreviations: titles, streets, letters with full stops, and what else the library leaves as written."""

import re

from loader.text.normalization.english.rule import Rule, always
from loader.text.normalization.numerals import Numerals, roman_value

_TITLES = {
    "Gov": "Governor", "Sen": "Senator", "Rep": "Representative", "Pres": "President", "Adm": "Admiral", "Amb": "Ambassador",
    "Supt": "Superintendent", "Insp": "Inspector", "Det": "Detective", "Atty": "Attorney", "Ft": "Fort", "Messrs": "Messieurs",
    "Fr": "Father", "Sgt": "Sergeant", "Cmdr": "Commander", "Brig": "Brigadier", "Det. Insp": "Detective Inspector",
}  # fmt: skip
_STREETS = {
    "St": "Street", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Dr": "Drive", "Ln": "Lane", "Ct": "Court", "Pl": "Place",
    "Sq": "Square", "Hwy": "Highway", "Pkwy": "Parkway", "Ter": "Terrace", "Cir": "Circle", "Expy": "Expressway",
}  # fmt: skip
_DIRECTIONS = {"N": "North", "S": "South", "E": "East", "W": "West"}
#: With or without its full stop, if that is optional.
_WORDS = {
    r"w/o(?=\s)": "without", r"a\.k\.a\.": "a k a", r"aka": "a k a", r"pp\.?(?= ?\d)": "pages", r"p\. ?(?=\d)": "page ",
    r"[Ss]ec\.(?= \d)": "section", r"[Rr]m\b\.?(?= \d)": "room", r"No\.(?= \d)": "Number", r"Nos\.(?= \d)": "Numbers",
    r"nos\.(?= \d)": "numbers", r"[Pp]aras?\.(?= \d)": "paragraph", r"Bros\.": "Brothers", r"Ph\.? ?D\b\.?": "P H D",
    r"M\.Sc\b\.?": "M S C", r"B\.Sc\b\.?": "B S C", r"[Tt]el\.(?= ?:? ?[\d+(])": "telephone", r"[Gg]ovt\.": "government",
    r"[Aa]sst\.": "assistant", r"[Aa]ssoc\.": "associate", r"[Uu]niv\.": "University", r"[Ii]ncl\.": "including",
    r"[Ee]xcl\.": "excluding",
    r"est\.(?= (?:in )?\d{4})": "established", r"[Aa]pprox\.(?= [a-z])": "approximate", r"[Aa]vg\.": "average",
    r"ca?\. ?(?=\d{3,4}\b)": "circa ", r"b\. (?=\d{4}\b)": "born ", r"d\. (?=\d{4}\b)": "died ",
    r"[Hh]wy\b\.?(?= \d)": "Highway", r"R(?:te|t)\b\.?(?= \d)": "Route", r"[Ii]ntl\.": "international", r"op\. cit\.": "op cit",
    r"ed\.(?= by\b)": "edited", r"eds\.": "editors", r"[Cc]ont(?:'d|\.)": "continued", r"ASAP": "A S A P",
    r"WWII": "World War two", r"WWI": "World War one", r"R\.S\.V\.P\.": "R S V P",
    r"[Mm]fg\.": "manufacturing", r"[Ss]vc\.": "service", r"Gen\.(?= \d+:\d)": "Genesis", r"Rev\.(?= \d+:\d)": "Revelation",
    r"[Vv]ols?\.(?= [IVX\d])": "volume", r"[Dd]epts\.": "departments", r"[Ee]\.g\.": "for example", r"[Ii]\.e\.": "that is",
    r"[Bb]ldg\b\.?": "building", r"[Ff]l\.(?= \d)": "floor",
    r"[Ss]q\.(?= [a-z])": "square",
}  # fmt: skip
_NUMBERED = "(?:War|Part|Chapter|Act|Book|Volume|Phase|Type|Class|Section|Stage|Level)s?"
_NAME = r"(?:[NSEW]\.? )?(?:[A-Z][a-z]+|\d+(?:st|nd|rd|th))"


def _street(found: re.Match[str], numerals: Numerals) -> str:
    """Say the kind of street; its full stop ends the sentence too, if nothing follows."""
    return found[1] + _STREETS[found[2]] + ("." if found[0].endswith(".") and found.end() == len(found.string) else "")


def _letters(found: re.Match[str], numerals: Numerals) -> str:
    is_end = found.end() == len(found.string)
    return " ".join(found[0].replace(".", "")) + ("." if is_end else "")


def _two(found: re.Match[str], numerals: Numerals) -> str:
    between = " to " if found[3].strip() in ("-", "\u2013") else found[3]
    return f"{found[1]} {numerals.cardinal(roman_value(found[2]))}{between}{numerals.cardinal(roman_value(found[4]))}"


def _one(found: re.Match[str], numerals: Numerals) -> str:
    return f"{found[1]} one"


RULES: list[Rule] = [
    (re.compile(rf"(?<!\w){written}" + ("" if written.endswith(")") else r"(?!\w)")), always(spoken))
    for written, spoken in _WORDS.items()
]
RULES += [
    (re.compile(r"(?<!\w)w/(?=\s?[A-Za-z])\s?"), always("with ")),
    (re.compile(rf"\b({'|'.join(_TITLES)})\.(?= [A-Z])"), lambda found, _: _TITLES[found[1]]),
    (
        re.compile(
            rf"(?<=[\d.] )([NSEW])\.?(?= (?:(?:[A-Z][a-z]+ ){{1,3}}|\d+(?:st|nd|rd|th) )(?:{'|'.join(_STREETS)}|Street|Avenue|"
            rf"Road)\b)"
        ),
        lambda found, _: _DIRECTIONS[found[1]],
    ),
    (re.compile(rf"\b({_NAME} )({'|'.join(_STREETS)})\b(?:\.(?!\w))?(?! ?[A-Z][a-z])"), _street),
    (re.compile(rf"\b({_NUMBERED}) ([IVXL]+)( and | or | to |, | ?[-\u2013] ?)([IVXL]+)\b(?!['\u2019])"), _two),
    (
        re.compile(rf"\b({_NUMBERED}|volume|chapter) ([IVXL]{{2,}})\b"),
        lambda found, numerals: f"{found[1]} {numerals.cardinal(roman_value(found[2]))}",
    ),
    (
        re.compile(
            r"\b(War|Part|Chapter|Act|Book|Volume|Phase|Type|Class|Section|Stage|Level|Grade|Mark|Schedule|Appendix) "
            r"I(?= (?:of|was|is|began|ended|ends|begins|in|had|has|and|or)\b|'s|[.,:;)!?]|$)"
        ),
        _one,
    ),
    (
        re.compile(
            r"\b(Elizabeth|Charles|James|Francis|Napoleon|Nicholas|Catherine|Henry|George|Edward|Richard|Frederick|Alexander) "
            r"I(?= (?:was|of|had|"
            r"died|reigned|ruled|became)\b|'s|[.;)]|$)"
        ),
        lambda found, _: f"{found[1]} the first",
    ),
    (re.compile(r"(?<![\w.])(?:[A-Z]\.){2,}(?!\w)"), _letters),
]
