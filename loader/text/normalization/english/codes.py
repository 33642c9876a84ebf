"""Codes: numbers and letters that name something and count nothing, said one by one or in pairs.

Telephone numbers, cards, accounts, postcodes, network addresses, names of products and roads.
"""

import re

from loader.text.normalization.english.rule import Rule, characters
from loader.text.normalization.english.years import pairs
from loader.text.normalization.numerals import Numerals

_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado", "CT": "Connecticut",
    "DE": "Delaware", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana",
    "IA": "Iowa",
    "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan",
    "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
    "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio",
    "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington", "WV": "West Virginia",
    "WI": "Wisconsin", "WY": "Wyoming", "DC": "D C",
}  # fmt: skip
#: Also a word: it is a state only before its postcode.
_WORDS = frozenset(["HI", "IN", "ME", "OH", "OK", "OR", "LA", "MA", "PA", "ID"])
_STATE = "|".join(_STATES)
_GROUPS = r"\d{2,4}(?:[ -]\d{2,4}){1,4}"
_CALL = r"(?:call|dial|phone|ring|text|fax|tel|telephone|mobile|cell|hotline|helpline)"
_NAMED = (
    r"(?:PIN|pin code|passcode|password|zip|ZIP|zip code|ZIP code|postcode|code|SSN|account|account number|serial number|ID|"
    r"reference|"
    r"card number|tracking number|extension|area code|ending in|ending with|ends in|phone number|number is|number:)"
)
_LETTERS = r"[A-Z]{1,4}"


def _state(found: re.Match[str], numerals: Numerals) -> str | None:
    if found["zip"]:
        return f"{_STATES[found['state']]} {numerals.digit_groups(found['zip'])}"
    return None if found["state"] in _WORDS else _STATES[found["state"]]


def _international_bank_number(found: re.Match[str], numerals: Numerals) -> str | None:
    compact = re.sub(r"[ -]", "", found[0])
    if not 15 <= len(compact) <= 34 or sum(map(str.isdigit, compact)) < 8:
        return None
    groups = found[0].split() if " " in found[0] else [compact[place : place + 4] for place in range(0, len(compact), 4)]
    return ", ".join(characters(group, numerals) for group in groups)


def _network_address(found: re.Match[str], numerals: Numerals) -> str | None:
    """Say an address of IPv6 or of a device; a time has two colons and no letter."""
    written = found[0]
    if "::" not in written and written.count(":") < 5 or len(written) < 4:
        return None
    return " ".join("colon" if each == ":" else characters(each, numerals) for each in written)


def _code(found: re.Match[str], numerals: Numerals) -> str:
    """Say the letters, and the digits as the number that people say: `A three twenty`, `B one oh one`, `F sixteen`."""
    letters, digits, rest, plural = found.groups()
    return " ".join([*letters, pairs(digits, numerals), *rest]) + ("es" if plural and digits[-1] == "6" else plural)


def _long_digits(found: re.Match[str], numerals: Numerals) -> str | None:
    return None if found[0].endswith("000000") else numerals.digits(found[0])


def _said_groups(found: re.Match[str], numerals: Numerals) -> str:
    return numerals.digit_groups(found[0])


def _blood(found: re.Match[str], numerals: Numerals) -> str:
    group, sign = found[1] or found[3], found[2] or found[4]
    return f"{' '.join(group)} {'negative' if sign == '-' else 'positive'}"


def _after_word(found: re.Match[str], numerals: Numerals) -> str:
    return f"{found[1]}{numerals.digit_groups(found[2])}"


RULES: list[Rule] = [
    (re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"), _network_address),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _international_bank_number),
    (re.compile(r"(?<![\w.,-])\d{4}(?:([ -])\d{4}\1\d{4}\1\d{4}| \d{6} \d{5})(?![\w-])"), _said_groups),
    (re.compile(r"(?<![\w.,-])\d{3}-\d{2}-\d{4}(?![\w-])"), _said_groups),
    # Telephone numbers.
    (re.compile(r"(?<![\w.,+-])(?<!\d )\(?0[1-9]\d{1,3}\)?[ -]\d{3,8}(?:[ -]\d{3,4})?(?!\w|[.,-]\d)"), _said_groups),
    (
        re.compile(rf"\b({_CALL}:?,? )({_GROUPS}|\d{{3,4}}|\d{{6,11}})(?![\w-]|[.,:/]\d| (?:people|times|of)\b)", re.I),
        _after_word,
    ),
    (re.compile(r"(?<![\w.,$€£-])(911|999|112)(?= (?:call|caller|operator|dispatch|emergency)s?\b)"), _said_groups),
    (re.compile(rf"\b({_NAMED}(?: is| was)?:? #?)(\d{{3,}}(?:[ -]\d{{3,5}})*)(?![\w-]|[.,:/]\d|%)"), _after_word),
    (re.compile(r"\b(ext\.? ?|x)(\d{2,6})(?=[.,;]?$|[.,;)] )"), lambda found, numerals: f"extension {pairs(found[2], numerals)}"),
    (re.compile(r"(?<![\w.,$€£/:-])\d{10,16}(?![\w/:-]|[.,]\d)"), _long_digits),
    # Addresses.
    (
        re.compile(
            rf"\b((?:{'|'.join([*dict.fromkeys(_STATES.values()), 'D[.]C[.]'])}),? )(\d{{5}}(?:-\d{{4}})?)(?![\w-]|[.,]\d)"
        ),
        _after_word,
    ),
    (re.compile(rf"(?<=\w, )(?P<state>{_STATE})(?:,? (?P<zip>\d{{5}}(?:-\d{{4}})?)(?!\w|-\d)|(?=[,.;)]|$))"), _state),
    (
        re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b"),
        lambda found, numerals: ", ".join(
            characters(each, numerals) for each in re.split(r" |(?=\d[A-Z]{2}$)", found[0]) if each
        ),
    ),
    (
        re.compile(r"(?<![\w.,$€£-])(\d{2,4})([A-H])(?= (?:[A-Z][a-z]+ ){1,3}(?:St|Street|Rd|Road|Ave|Avenue|Lane|Ln)\b)"),
        lambda found, numerals: f"{pairs(found[1], numerals)} {found[2]}",
    ),
    (
        re.compile(r"(?<![\w.,$€£:/-])(\d{1,2})([A-HJ-Z]|\b-[A-Z])(?=[\s,;:!?)]|\.?$|-)"),
        lambda found, numerals: _numbered(found, numerals),
    ),
    (re.compile(r"(?<![\w.,$-])401\(?k\)?(?!\w)"), lambda found, numerals: "four oh one k"),
    (re.compile(r"(?<=[Tt]ype )(AB|[ABO])([-+])|\b(AB|[ABO])([-+])(?= (?:blood|donor)s?\b)"), _blood),
    (
        re.compile(r"(?<![\w.,$€£:/-])(\d{1,3})([abdef])(?=[\s,;:!?)]|\.?$|\. )"),
        lambda found, numerals: f"{numerals.cardinal(int(found[1]))} {found[2]}",
    ),
    # Products, roads, paper, vitamins.
    (re.compile(r"(?<![\w.-])([A-Z]{1,4})(?=\d{1,3}(?:,\d{3})+(?![\w,]))"), lambda found, _: f"{' '.join(found[1])} "),
    (re.compile(r"\bIPv([46])\b"), lambda found, numerals: f"I P version {numerals.digits(found[1])}"),
    (re.compile(r"\bmp([34])\b"), lambda found, numerals: f"m p {numerals.digits(found[1])}"),
    (re.compile(rf"(?<![\w.-])({_LETTERS})-?(\d{{1,4}})([A-Z]{{0,2}})(s?)(?![\w%]|[.:/,]\d|-[A-Z]?\d)"), _code),
    (re.compile(r"(?<![\w.,$€£-])(7\d7)s\b"), lambda found, numerals: f"{pairs(found[1], numerals)}s"),
    (
        re.compile(r"(?<![\w.-])([A-Z])(\d)-([A-Z])(\d)(?![\w-])"),
        lambda found, numerals: characters("".join(found.groups()), numerals),
    ),
    (re.compile(r"\b(7\d7)-(\d{1,3})\b"), lambda found, numerals: f"{pairs(found[1], numerals)} {pairs(found[2], numerals)}"),
    (
        re.compile(r"\b([A-Z]{2,5}) (\d{4})(?![\w%]|[.,:/-]\d| [a-z]+s\b)"),
        lambda found, numerals: None if found[1] in ("OVER", "ONLY", "ABOUT") else f"{found[1]} {pairs(found[2], numerals)}",
    ),
    (re.compile(r"(?<![\w-])([A-Za-z]{2,}|[A-Z])-(?=\d+(?:\.\d+)?(?![\w-]|\.\d))"), lambda found, _: f"{found[1]} "),
    (re.compile(r"(?<![\w.])0x([0-9A-Fa-f]{1,8})\b"), lambda found, numerals: f"zero x {characters(found[1], numerals)}"),
]


def _numbered(found: re.Match[str], numerals: Numerals) -> str | None:
    """Say `4B` or `3-D`; what may be a unit or a number of millions is left."""
    letter = found[2].strip("-")
    if letter in "ACFKLMNVWJT" and "-" not in found[2]:
        return None
    return f"{numerals.cardinal(int(found[1]))} {letter}"
