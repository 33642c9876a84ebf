"""Random texts for espeak-ng, the same for the same seed, and the outcome of each.

    python -m tests.loader.text.fuzz --patterns 100000 en-us de        prints a line for each language
    python -m tests.loader.text.fuzz --patterns 5000                   all languages

A text is at most what a voice passes to espeak-ng: up to 320 characters, nearly always one clause.
"""

import argparse
import collections
import json
import logging
import random
import time
import unicodedata
from collections.abc import Iterator
from contextlib import suppress

from loader.errors import UnreadableTextError
from loader.text.espeak import Espeak, EspeakError
from loader.text.espeak_process import ReaderEndedError

MAX_CHARACTERS = 320
_LATIN = "abcdefghijklmnopqrstuvwxyz"
#: Unicode ranges of scripts, and the languages that use them; all others use Latin.
_SCRIPTS = {
    "latin": ((0x61, 0x7A), (0xDF, 0xFF), (0x101, 0x17F), (0x1EA0, 0x1EF9)), "cyrillic": ((0x430, 0x45F), (0x491, 0x4FF)),
    "greek": ((0x386, 0x3CE), (0x1F00, 0x1FFC)), "arabic": ((0x620, 0x6D5),), "hebrew": ((0x591, 0x5EA),),
    "devanagari": ((0x900, 0x97F),), "bengali": ((0x980, 0x9FE),), "gurmukhi": ((0xA01, 0xA76),), "gujarati": ((0xA81, 0xAFF),),
    "oriya": ((0xB01, 0xB77),), "tamil": ((0xB82, 0xBFA),), "telugu": ((0xC00, 0xC7F),), "kannada": ((0xC80, 0xCF3),),
    "malayalam": ((0xD00, 0xD7F),), "sinhala": ((0xD81, 0xDF4),), "thai": ((0xE01, 0xE5B),), "myanmar": ((0x1000, 0x109F),),
    "georgian": ((0x10D0, 0x10FF),), "armenian": ((0x531, 0x58F),), "ethiopic": ((0x1200, 0x137C),),
    "hangul": ((0x1100, 0x11FF), (0x3131, 0x318E), (0xAC00, 0xD7A3)), "kana": ((0x3041, 0x30FF),), "han": ((0x4E00, 0x9FFF),),
    "cherokee": ((0x13A0, 0x13FD),), "shavian": ((0x10450, 0x1047F),), "private": ((0xF8D0, 0xF8FF),),
}  # fmt: skip
_WRITTEN_IN = {
    "cyrillic": "ru ru-cl uk be bg mk sr kk ky tt ba cv nog", "greek": "el grc", "arabic": "ar fa ur ug sd", "hebrew": "he",
    "devanagari": "hi mr ne kok", "bengali": "as bn bpy", "gurmukhi": "pa", "gujarati": "gu", "oriya": "or", "tamil": "ta",
    "telugu": "te", "kannada": "kn", "malayalam": "ml", "sinhala": "si", "thai": "th", "myanmar": "my shn", "georgian": "ka",
    "armenian": "hy hyw", "ethiopic": "am ti", "hangul": "ko", "kana": "ja", "han": "cmn yue", "cherokee": "chr-US-Qaaa-x-west",
    "shavian": "en-shaw", "private": "piqd",
}  # fmt: skip
_SCRIPT_OF = {language: script for script, languages in _WRITTEN_IN.items() for language in languages.split()}
#: Parts that are repeated and joined: affixes, abbreviations, pasted text, and text that is hard to read.
_UNITS = (
    "'s", "n't", "'ll", "auto", "non", "un", "re", "anti", "ation", "ness", "ing", "ings", "ed", "er", "ment", "able", "ge",
    "ver", "ent", "zer", "pre", "www.", "http://", "th", "sch", "]-A", "i.e.", "U.S.", "A", "AB", "aB", "1", "0", "12", "1,000",
    "3.14", "1st", "2nd", "II", "XIV", "é", "\u0301", "\u200d", "\u200b", "\ufe0f", "😀", "👍🏽", "🇩🇪", "中", "あ", "한", "я", "ω",
    "ا", "-", "--", "'", "’", "_", "[[", "]]", "_^_", "[[x", "(", ")", "\u00ad", "\ufeff", "％", "①", "ⓜ", "½", "²",
    "Ⅳ", "٣", "३", "\x01", "\x02",
)  # fmt: skip
_MARKS = "'’-.,·:/&@#%$£€*+=~^°()[]{}<>|\\\"“”‘„«»!?;…–—_`´©"
_NO_MARKS = str.maketrans(dict.fromkeys(';:,.!?¡¿—…"«»“”', " "))
_JOINS = ("", "-", " - ", "'", ", ")


def pattern(language: str, number: int, seed: int) -> str:
    """Return text number `number` in `language`: several words, most of them in letters of that language."""
    chance = random.Random(f"{seed}:{language}:{number}")
    script = _SCRIPT_OF.get(language, "latin")
    letters = _LATIN if chance.random() < (0.5 if script == "latin" else 0.15) else _letters(script)
    words = (_word(chance, letters) for _ in range(chance.choice((1, 1, 1, 1, 1, 1, 2, 2, 3))))
    join = chance.choice(_JOINS) if chance.random() < 0.3 else " "
    text = join.join(words)[: MAX_CHARACTERS if chance.random() < 0.02 else 100]
    # Voices remove these marks. With them espeak-ng would make sound for every clause, a hundred times the work.
    return text if chance.random() < 0.03 else text.translate(_NO_MARKS)


def _word(chance: random.Random, letters: str) -> str:
    size = chance.choice((1, 2, 3, 5, 8, 13, 20, 30, 45, 58, 60, 64, 65, 80, 100))
    makers = (
        lambda: _repeated(_drawn(chance, letters, chance.randint(1, 6)), size),
        lambda: _repeated(chance.choice(_UNITS), size),
        lambda: _repeated("".join(chance.choices(_UNITS, k=chance.randint(2, 5))), size),
        lambda: _drawn(chance, letters, size),
        lambda: "".join(chance.choice(letters if chance.random() < 0.8 else _MARKS) for _ in range(size)),
        lambda: _drawn(chance, "0123456789", size),
        lambda: _drawn(chance, "0123456789.,:/-", size),
        lambda: _drawn(chance, _letters(chance.choice(list(_SCRIPTS))), size),
        lambda: "".join(_drawn(chance, _letters(chance.choice(list(_SCRIPTS))), 1) for _ in range(size)),
        lambda: "".join(chr(_any_character(chance)) for _ in range(size)),
        lambda: _drawn(chance, letters, chance.randint(1, 4)) + chance.choice(_UNITS) + _drawn(chance, letters, size % 20),
    )
    return _in_some_case(chance, chance.choice(makers)())


def _in_some_case(chance: random.Random, word: str) -> str:
    changed = (word.upper(), word.capitalize(), "".join(chance.choice((letter, letter.upper())) for letter in word))
    return chance.choice(changed) if chance.random() < 0.15 else word


def _drawn(chance: random.Random, letters: str, size: int) -> str:
    return "".join(chance.choices(letters, k=size))


def _repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _any_character(chance: random.Random) -> int:
    return chance.choice((chance.randrange(32, 0x250), chance.randrange(0x250, 0xD800), chance.randrange(0xE000, 0x1FFFF)))


_letters_of: dict[str, str] = {}


def _letters(script: str) -> str:
    if script not in _letters_of:
        every = (chr(code) for first, last in _SCRIPTS[script] for code in range(first, last + 1))
        _letters_of[script] = "".join(each for each in every if unicodedata.category(each)[0] in "LMNC")
    return _letters_of[script]


def outcomes(espeak: Espeak, language: str, numbers: range, seed: int) -> Iterator[tuple[int, str]]:
    """Yield for each pattern `read`, `read in parts` or `unreadable`, and the signal that ended espeak-ng."""
    ended = _Endings()
    logging.getLogger("chorus.loader").addFilter(ended.note)
    try:
        for number in numbers:
            ended.signal_number = None
            try:
                espeak.phonemize(pattern(language, number, seed), language)
            except UnreadableTextError:
                yield number, f"unreadable, signal {ended.signal_number}"
            else:
                yield number, "read" if ended.signal_number is None else f"read in parts, signal {ended.signal_number}"
    finally:
        logging.getLogger("chorus.loader").removeFilter(ended.note)


class _Endings:
    """The last signal in the log."""

    signal_number: int | None = None

    def note(self, record: logging.LogRecord) -> bool:
        for argument in record.args or ():
            if isinstance(argument, ReaderEndedError):
                self.signal_number = argument.signal_number
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", help="default: all of espeak-ng's")
    parser.add_argument("--patterns", type=int, default=5000, help="texts of each language")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    espeak = Espeak()
    for language in options.languages or list(_known(espeak)):
        began_s = time.monotonic()
        counts: collections.Counter[str] = collections.Counter()
        first: dict[str, int] = {}
        for number, outcome in outcomes(espeak, language, range(options.patterns), options.seed):
            counts[outcome] += 1
            first.setdefault(outcome, number)
        took_s = round(time.monotonic() - began_s)
        line = {"language": language, "patterns": options.patterns, **counts, "first": first, "took_s": took_s}
        print(json.dumps(line), flush=True)


def _known(espeak: Espeak) -> Iterator[str]:
    """Yield espeak-ng's languages, except one that it lists under a name that it does not accept."""
    for language in dict.fromkeys(espeak.languages()):
        with suppress(EspeakError):
            espeak.select(language)
            yield language


if __name__ == "__main__":
    main()
