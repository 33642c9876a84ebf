"""Misreadings: what the library takes for something that it is not (spokenform 0.4.5, 2026-11-30).

It knows currencies, bank accounts, formulas and units by their form alone, in any letter case: `3.50 for a cup` is to it an
exchange rate of Cuban pesos, and `py26 as it is no longer supported` an account number.
"""

import re
from collections.abc import Mapping

#: By the library's rule: a source of that form is misread.
_MISREAD: Mapping[str, re.Pattern[str]] = {
    rule: re.compile(pattern)
    for rule, pattern in {
        # Milliseconds at the end of a sentence.
        "abbr:Ms.": r"m",
        "sequence.exchange-rate": r"(?!.*\b[A-Z]{3}\b)",
        "sequence.iban": r".*[a-z]",
        "sequence.math": r".*[^\W\d_]{3}",
        "sequence.formula": r".*[^\W\d_]0\d",
        "sequence.product": r".*(?:\d\.\d|\.$)",
        # Several numbers, none of which begins as a telephone number does.
        "sequence.phone": r"(?!0)\d+(?: \d+)+$(?<!^\d{3} \d{3} \d{3})",
        "en.date.dmy_text": r".*\d\W+[a-z]",
        "en.quantity": r"\d+M$",
    }.items()
}
_INCHES = re.compile(r"\d\s+in$")


def is_misread(rule: str | None, source: str, following: str) -> bool:
    """Whether a replacement of the library is of something else.

    Args:
        rule: the library's name of what it took the source for; None for plain numbers.
        source: the text that it replaces.
        following: the text after it.
    """
    if rule is None:
        return False
    if rule == "en.quantity" and _INCHES.search(source):
        return following[:1] == " " and following[1:2].isalpha()
    pattern = _MISREAD.get(rule)
    return bool(pattern and pattern.match(source))
