"""Rule: what is written, and a function that says it."""

import re
from collections.abc import Callable, Iterable
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

Speak = Callable[[re.Match[str], Numerals], str | None]
#: A function may return None to keep what is written.
Rule = tuple[re.Pattern[str], Speak]


def apply_rules(text: AlignedText, numerals: Numerals, rules: Iterable[Rule]) -> AlignedText:
    """Return the text after each rule in turn."""
    for pattern, speak in rules:
        text = text.substituted(pattern, partial(_apply, speak, numerals))
    return text


def _apply(speak: Speak, numerals: Numerals, found: re.Match[str]) -> str | None:
    return speak(found, numerals)


def always(spoken: str) -> Speak:
    """Return a function that says the same for every match."""
    return lambda found, numerals: spoken


def decimal(number: str, numerals: Numerals) -> str:
    """Return `one thousand two point five` for `1,002.5`."""
    whole, _, decimals = number.replace(",", "").partition(".")
    said = numerals.cardinal(int(whole or "0"))
    return f"{said} point {numerals.digits(decimals)}" if decimals else said


def characters(written: str, numerals: Numerals) -> str:
    """Return letters and digits of one group one by one."""
    return " ".join(numerals.digits(each) if each.isdigit() else each.upper() for each in written)
