"""German, French, Spanish, Italian and Portuguese: their rules, in order."""

import re

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.european import abbreviations
from loader.text.normalization.european.acronyms import spell_acronyms
from loader.text.normalization.european.agreement import speak_counted
from loader.text.normalization.european.amounts import speak_amounts
from loader.text.normalization.european.dates import speak_dates, speak_weekdays
from loader.text.normalization.european.fractions import speak_fractions
from loader.text.normalization.european.german import speak_german_numbers
from loader.text.normalization.european.money import speak_money
from loader.text.normalization.european.ordinals import speak_ordinals
from loader.text.normalization.european.powers import lift_figures, speak_powers
from loader.text.normalization.european.roman import speak_roman_numerals
from loader.text.normalization.european.telephones import speak_national_telephones
from loader.text.normalization.european.times import speak_times
from loader.text.normalization.european.units import speak_units
from loader.text.normalization.numerals import Numerals
from loader.text.normalization.words import Words

_TRADEMARK = re.compile(r"[™®]")
#: spokenform 0.4.5 reads `- o` as `minus o` (2026-11-30).
_DASH = re.compile(r"(?<=[^\W_]) -{1,2} (?=[^\W\d_])")
#: `B-29s`
_PLURAL = re.compile(r"(?<=[A-Za-z]-)(\d{1,4})s\b")
#: In languages that write a point between groups of three digits, two groups with a space between them may be two numbers.
_GROUPED = re.compile(
    r"(?<![\w.,:/+-])(?<!\d )([1-9]\d{0,2}) (\d{3})(?! \d)(?=(?: ?[%€$£°]| (?:de |d[eo]s )?[^\W\d_]{2,}|\.?$))(?!\w)"
)
_RELEASE = re.compile(
    r"\b([Vv]ersión|[Vv]ersione?|[Vv]ersão|Windows|Python|i?OS|Android|Java|macOS|Firefox|Chrome|Ubuntu|"
    r"PHP|Debian) (\d{1,4})\.(\d{1,3})(?![\w.]|,\d)"
)
_SWISS = re.compile(r"(?<![\w.,])\d{1,3}(?:['\u2019]\d{3})+(?!\w)")
_JOINED = re.compile(r"(?<![\w.,:/+-])\d{1,3}(?: \d{3})+(?=,\d)")
_RATIO = re.compile(r"(?<![\w:.,/])(\d{1,3}):(\d|[1-9]\d{2})(?![\w:/]|[.,]\d)")
_PLUS = re.compile(r"(?<![\w+])\+ ?(?=\d)")
_BIG = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:\.\d{3}){3,4}(?![\w.,])")
#: spokenform 0.4.5 reads `2 d'` as days (2026-11-30).
_FRENCH_OF = re.compile(r"(?<![\d/.,])(\d+)(?= d['\u2019])")
#: `venti e sei` would be 26.
_ITALIAN_TWENTY = re.compile(r"(?<![\w.,:])20[:.]0([1-9])(?![\w:]|[.,]\d)")


def speak_abbreviations(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with abbreviations in words."""
    return abbreviations.speak_abbreviations(text, numerals.language)


def speak_words(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with weekdays, Roman numerals and acronyms in words."""
    text = text.substituted(_TRADEMARK, "").substituted(_DASH, ", ")
    text = speak_weekdays(text, numerals.language)
    return spell_acronyms(speak_roman_numerals(lift_figures(text), numerals), numerals)


def speak_numbers(text: AlignedText, numerals: Numerals, words: Words) -> AlignedText:
    """Return the text with dates, times, telephone numbers, fractions and amounts in words, or as the library reads them."""
    language = numerals.language
    text = text.substituted(_RELEASE, lambda found: f"{found[1]} {found[2]} {words.point} {found[3]}")
    text = text.substituted(_SWISS, lambda found: re.sub(r"\D", "", found[0]))
    text = text.substituted(_PLURAL, lambda found: f"{numerals.cardinal(int(found[1]))}s")
    if language == "de":
        text = speak_german_numbers(text, numerals)
    text = speak_national_telephones(speak_dates(text, numerals), numerals)
    text = speak_times(text, numerals, words.to).substituted(_JOINED, lambda found: found[0].replace(" ", ""))
    text = text.substituted(_RATIO, lambda found: f"{found[1]} {'zu' if language == 'de' else words.to} {found[2]}")
    text = speak_fractions(text, numerals)
    if language in ("es", "it", "pt"):
        text = text.substituted(_GROUPED, lambda found: found[1] + found[2])
    return speak_units(speak_amounts(text, language), language)


def speak_counts(text: AlignedText, numerals: Numerals, words: Words) -> AlignedText:
    """Return the text with money, powers, ordinals and whole numbers before nouns in words, after ranges and signs."""
    language = numerals.language
    text = text.substituted(_PLUS, f"{words.plus} ")
    text = speak_powers(speak_money(text, numerals, words.decimal), numerals, words.minus)
    text = speak_ordinals(text, numerals)
    if language == "fr":
        text = text.substituted(_FRENCH_OF, lambda found: numerals.cardinal(int(found[1])))
    if language == "it":
        text = text.substituted(_ITALIAN_TWENTY, lambda found: f"venti e zero {numerals.cardinal(int(found[1]))}")
    if language == "es":
        text = text.substituted(_BIG, lambda found: numerals.cardinal(int(found[0].replace(".", ""))))
    return speak_counted(text, numerals) if language != "de" else text


def speak_years(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text as it is: years are read as the numbers that they are, and German ones before."""
    return text
