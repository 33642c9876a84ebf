"""The libraries: spokenform for most languages, corrected where people say it otherwise, and wetext for Chinese."""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

from loader.text.normalization.aligned import AlignedText, Replacement
from loader.text.normalization.numerals import Numerals
from loader.text.normalization.spokenform_library import library_of
from loader.text.normalization.words import EUROPEAN, MONTHS, WORDS

log = logging.getLogger("chorus.loader")

#: English hundredths without their name: `two pounds fifty`. Groups: the whole amount, the hundredths.
_HUNDREDTHS = re.compile(
    r"(.+ (?:dollars?|pounds?|euros?|francs?)) and ((?!(?:one|two|three|four|five|six|seven|eight|nine) ).+?) "
    r"(?:cents?|pence|penny|centimes?)"
)
#: Hundredths alone: `fifty cents`.
_NO_WHOLE = re.compile(r"zero \w+ and (.+)")
_CURRENCY = frozenset("$€£")
_NUMBER = re.compile(r"(\d+)(?:([.,])(\d+))?")
_ITEM = re.compile(r"\d+|[^\w\s]|[A-Z]{2,}")
#: A text with more numbers and marks, and one every three written characters, is a table or nonsense: its numbers are read
#: one by one. The library takes 0.3 ms for each, and our rules make seven characters of `+1 ` (2026-11-30).
_MAX_ITEMS = 40
_MAX_CHARACTERS = 480
#: The library adds nothing, and takes 0.7 ms for the shortest text (2026-11-30).
_LONE_NUMBER = re.compile(r"\s*\d{1,12}\s*")
_FRAGMENT_CHARACTERS = 80
_CLAUSE_ENDS = ("; ", ". ", ", ", "，", "。", "；", "、")
_DIGITS = re.compile(r"[0-9]+")
#: wetext 0.1.8 reads `1234567890123` half by digits and half as a number, and takes 0.15 ms for each digit (2026-11-30).
_LONG_NUMBER = re.compile(r"(?<![0-9.,])[0-9]{13,}")
_CHINESE_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")
#: A digit, a sign, a run of capitals, a point inside the text, or an abbreviation without one.
NEEDS_WORDS = re.compile(
    r"[\d_$%&@#<>=+*/\\~^|\u00a2-\u00aa\u00ac-\u00ba\u00bc-\u00be×÷\u2030-\u20cf\u2100-\u22ff]|[A-Za-z]\.?\s?[-–](?=[A-Z])"
    r"|[A-Z]{2}|[A-Z]-(?!\w)|\(e?s\)|\.(?!$)|[ :][IVX]+(?:e|er|re|\u1d49)?\b|\b(?:etc|[A-Z][a-z]{1,3})\.$|[\u0391-\u03c9]"
    r"|\b(?:Mmes?|Mlle|Dr|Mr|Mrs|Ms|Ste?|Pr|Me|Mgr|bd|GmbH)\b"
    r"|\b(?:Mo|Di|Mi|Do|Fr|Sa|lun|mar|mié|jue|vie|mer|jeu|ven|seg|ter|qua) ?[-\u2013]"
    r"|(?:usw|ecc|izq|dcha|[Mm]in|[Ss]td|bzw)\.$"
)


def import_library(language: str) -> None:
    """Import the library of a language now.

    Raises:
        Exception: of no common class; there is none for the language, or it is not installed.
    """
    _ = _chinese() if language == "zh" else library_of(language)


def speak_by_library(text: AlignedText, language: str, numerals: Numerals, one_by_one: bool = False) -> AlignedText:
    """Return the text with what is left of numbers, units and abbreviations in words; `one_by_one`, only with its numbers."""
    if language == "zh":
        return _speak_chinese(text, one_by_one)
    if not one_by_one and not _LONE_NUMBER.fullmatch(text.text):
        text = text.replaced(_in_fragments(text.text, language))
    return text.substituted(_NUMBER, lambda match: _left_over(match, numerals))


def _in_fragments(text: str, language: str) -> Iterator[Replacement]:
    start = 0
    for fragment in _fragments(text):
        if NEEDS_WORDS.search(fragment):
            yield from ((start + first, start + last, new) for first, last, new in _replacements(fragment, language))
        start += len(fragment)


def _fragments(text: str) -> Iterator[str]:
    """Cut a text with many numbers and marks at spaces; our rules may have made it seven times longer."""
    if len(text) <= _MAX_CHARACTERS and len(_ITEM.findall(text)) <= _MAX_ITEMS:
        yield text
        return
    yield from _cut(text)


def _cut(text: str) -> Iterator[str]:
    """Cut a text at clauses, else at spaces, else between two characters that are not both digits."""
    start = 0
    while len(text) - start > _FRAGMENT_CHARACTERS:
        limit = start + _FRAGMENT_CHARACTERS
        cut = max(text.rfind(mark, start, limit) for mark in _CLAUSE_ENDS)
        cut = cut if cut > start else text.rfind(" ", start, limit)
        digits = re.search(r"\d*$", text[start:limit])
        within = limit - len(digits[0]) if digits and text[limit].isdigit() else limit
        stop = cut + 1 if cut > start else within if within > start else limit
        yield text[start:stop]
        start = stop
    yield text[start:]


def is_table(text: str) -> bool:
    """Whether a text is a table or nonsense, by its numbers and marks: they are read one by one."""
    items = len(_ITEM.findall(text))
    return items > _MAX_ITEMS and 3 * items >= len(text)


@lru_cache(1024)
def _replacements(text: str, language: str) -> Sequence[Replacement]:
    try:
        return _corrected(library_of(language).replacements(text), text, language)
    except MemoryError:
        raise
    except Exception as error:  # third-party code over any text; its errors share no base class
        log.info("numbers are read one by one: spokenform raised %s", type(error).__name__)
        return []


def _corrected(found: Sequence[Replacement], text: str, language: str) -> Sequence[Replacement]:
    """Return the library's replacements. Those that cut a word are left out."""
    return [
        (start, stop, _corrected_words(text[start:stop], new, language))
        for start, stop, new in found
        if not (_cuts_word(start, stop, text) or (language in EUROPEAN and _ends_sentence(start, stop, new, text)))
    ]


def _cuts_word(start: int, stop: int, text: str) -> bool:
    """Whether the replaced text begins or ends inside a word. An apostrophe is part of one."""
    before, after = text[:start][-1:], text[stop : stop + 1]
    source, is_letter = text[start:stop], after.isalpha() or after in ("'", "\u2019")
    return (source[:1].isalpha() and before.isalpha()) or (source[-1:].isalpha() and after != "" and is_letter)


def _ends_sentence(start: int, stop: int, new: str, text: str) -> bool:
    """Whether the full stop is that of the sentence, after a word: `la mer.`, which is Wednesday for the library."""
    source = text[start:stop]
    is_word = source[-1:] == "." and source[:-1].isalpha()
    is_last = not any(map(str.isalnum, text[stop:]))
    is_month = text[:start].rstrip()[-1:].isdigit() and new.lower() in MONTHS
    return is_word and is_last and not is_month


def _corrected_words(written: str, spoken: str, language: str) -> str:
    if _CURRENCY & set(written):
        spoken = _money(spoken, written, language)
    if language == "en":
        # No pause inside `two thousand, five hundred percent`.
        spoken = spoken.replace(",", "") if written.rstrip(" %").replace(",", "").isdigit() else spoken
        spoken = spoken.replace(" dot ", " point ").replace("point oh", "point zero")
    if language == "es" and spoken.lower().startswith("vveint"):  # spokenform 0.4.5 says so of `21 km`
        spoken = spoken[1:]
    # The space that the library took with a date before it.
    return f"{spoken} " if written.endswith(" ") and not spoken.endswith(" ") else spoken


def _money(spoken: str, written: str, language: str) -> str:
    if language == "en":
        if found := _NO_WHOLE.fullmatch(spoken):
            spoken = found[1]
        elif found := _HUNDREDTHS.fullmatch(spoken):
            spoken = f"{found[1]} {found[2]}"
        return re.sub(r"(illion euro)$", r"\1s", spoken)
    if language == "it":
        spoken = re.sub(r"(milion[ei]|miliard[oi]) (?=euro|dollari|sterline|franchi)", r"\1 di ", spoken)
        spoken = re.sub(r"^uno dollari", "un dollaro", spoken)
        return re.sub(r"^uno (?=euro|dollaro|franco)", "un ", re.sub(r"^uno (?=sterlina)", "una ", spoken))
    return spoken.replace("centavo", "cêntimo") if language == "pt" and "€" in written else spoken


def _left_over(match: re.Match[str], numerals: Numerals) -> str | None:
    """Return a number that the library did not read in words; a long one, or one that begins with 0, digit by digit."""
    whole, mark, decimals = match.groups()
    if not match[0].replace(".", "").replace(",", "").isascii() or numerals.language not in WORDS:
        return None
    is_number = len(whole) <= 12 and (whole == "0" or whole[0] != "0")
    said = numerals.cardinal(int(whole)) if is_number else numerals.digits(whole)
    if mark == WORDS[numerals.language].decimal_mark:
        said += f" {WORDS[numerals.language].decimal} {numerals.digits(decimals)}"
    elif mark:
        said += f"{mark} {numerals.digits(decimals)}"
    return f" {said} "


def _speak_chinese(text: AlignedText, one_by_one: bool) -> AlignedText:
    if one_by_one:
        return text.substituted(_DIGITS, lambda match: match[0].translate(_CHINESE_DIGITS))
    text = text.substituted(_LONG_NUMBER, lambda match: match[0].translate(_CHINESE_DIGITS))
    replacements, start = [], 0
    for fragment in _cut(text.text):
        replacements += [(start + first, start + last, new) for first, last, new in _chinese_replacements(fragment)]
        start += len(fragment)
    return text.replaced(replacements)


@lru_cache(1024)
def _chinese_replacements(text: str) -> Sequence[Replacement]:
    from rapidfuzz.distance import Levenshtein  # late, as in `loader.text.alignment`

    try:
        spoken = _chinese().normalize(text)
    except MemoryError:
        raise
    except Exception as error:  # as above; or the package is not installed
        log.info("Chinese numbers stay as written: wetext raised %s", type(error).__name__)
        return []
    changes = Levenshtein.opcodes(text, spoken)
    return [(each.src_start, each.src_end, spoken[each.dest_start : each.dest_end]) for each in changes if each.tag != "equal"]


@cache
def _chinese() -> Any:
    from wetext import Normalizer  # late: for the first Chinese text with a number

    return Normalizer(lang="zh", operator="tn")
