"""Reading: English text with what the library does not read, or reads wrong, in words."""

import re

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.english import abbreviations, amounts, capitals, codes, money, signs, times, years
from loader.text.normalization.english.rule import Rule, apply_rules
from loader.text.normalization.numerals import Numerals, roman_value
from loader.text.normalization.words import Words

_ROMAN = re.compile(r"(?<=[a-zà-ÿ] )(X{0,3}(?:IX|IV|V?I{2,3}|VI)|X{1,3}(?:V|I)|V)(?=[\s.,;:!?)'\u2019]|$)")
_NUMBERED = frozenset(
    "war chapter part volume act book section type phase level class rocky bowl mark version scene episode article level stage "
    "season fantasy tier title table figure appendix division corps unit group step vatican".split()
)  # fmt: skip
_TELEPHONE = re.compile(
    r"(?<![\w.-])(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-.]\d{4}(?![\w-])|(?<![\w.,-])\d{3}-\d{4}(?![\w-])"
)
#: Money has plain signs; codes come before what may count something; words in capitals come last, when no unit is left in them.
_RULES: list[Rule] = [
    *money.RULES, *times.RULES, *codes.RULES, *amounts.RULES, *signs.RULES, *abbreviations.RULES, *capitals.RULES,
]  # fmt: skip


def speak_abbreviations(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with Roman numerals in words; abbreviations are among the words."""
    return apply_rules(text, numerals, [(_ROMAN, _roman)])


def speak_words(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text after every rule but two; what the shared rules and the library read is left for them."""
    return apply_rules(text, numerals, _RULES)


def speak_numbers(text: AlignedText, numerals: Numerals, words: Words) -> AlignedText:
    """Return the text with American telephone numbers in words."""
    return text.substituted(_TELEPHONE, lambda found: numerals.telephone(found[0]))


def speak_years(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with years, house numbers and rooms in pairs of digits, after ranges."""
    return apply_rules(text, numerals, years.RULES)


def speak_counts(text: AlignedText, numerals: Numerals, words: Words) -> AlignedText:
    """Return the text as it is: English nouns have no gender."""
    return text


def _roman(found: re.Match[str], numerals: Numerals) -> str | None:
    word, number = found.string[: found.start()].split()[-1], roman_value(found[1])
    if word.lower() in _NUMBERED:
        return numerals.cardinal(number)
    return f"the {numerals.ordinal(number)}" if word[0].isupper() else None
