"""Say-as: texts that markup says how to read: spelled, digit by digit, as a number, a date, a time or a telephone number.

Most are rewritten to a form that the normalizer reads, so that the words around it count: German `am 3. Mai` is `am dritten Mai`.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise

from loader.text.markup.script import SayAs
from loader.text.normalization.numerals import Numerals
from loader.text.normalization.words import WORDS

_SIGNS = {
    ".": "point", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "+": "plus", "=": "equals",
    "&": "ampersand", "#": "hash",
}  # fmt: skip
#: Names of the months.
_MONTHS: Mapping[str, str] = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "zh": "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
}
#: Written dates by their parts in the order of the alphabet.
_DATES: Mapping[str, Mapping[str, str]] = {
    "en": {"dm": "{m} {d}", "my": "{m} {y}", "dmy": "{m} {d}, {y}"},
    "de": {"dm": "{d}. {m}", "my": "{m} {y}", "dmy": "{d}. {m} {y}"},
    "fr": {"dm": "{d} {m}", "my": "{m} {y}", "dmy": "{d} {m} {y}"},
    "es": {"dm": "{d} de {m}", "my": "{m} de {y}", "dmy": "{d} de {m} de {y}"},
    "it": {"dm": "{d} {m}", "my": "{m} {y}", "dmy": "{d} {m} {y}"},
    "pt": {"dm": "{d} de {m}", "my": "{m} de {y}", "dmy": "{d} de {m} de {y}"},
    "zh": {"dm": "{m}{d}日", "my": "{y}年{m}", "dmy": "{y}年{m}{d}日", "y": "{y}年"},
}
_FIRST_DAY = {"fr": "1er", "it": "1º", "pt": "1º"}
_NUMBER = re.compile(r"\s*([+\-\u2212]?)\s*(\d{1,12})\s*")
_TELEPHONE = re.compile(r"\d+|[^\W\d_]+|#")
_SOLID_DATE = re.compile(r"\s*(\d{8})\s*")
_DATE = re.compile(r"\s*\d{1,4}(?:\s?[-./\s]\s?\d{1,4}){0,2}\.?\s*")
_HALF_DAY = re.compile(r"\s*(\d{1,2})(?::(\d\d))?\s*([ap])\.?m\.?\s*", re.IGNORECASE)
_MINUTES = re.compile(r"\s*(\d{1,3})\s*['′’]\s*(?:(\d{1,2})\s*(?:[\"″”]|''))?\s*")


def read_as(text: str, say_as: SayAs, language: str, numerals: Numerals) -> str:
    """Return the text as it is read, or in a form that the normalizer reads; as written if it has another form."""
    return _READERS[say_as.interpret_as](text, say_as.format, language, numerals)


def _characters(text: str, _format: str, language: str, numerals: Numerals) -> str:
    letters = re.findall(r"\S[\u0300-\u036f]*", unicodedata.normalize("NFC", text))
    return ", ".join(_spelled(letter, language, numerals) for letter in letters)


def _spelled(character: str, language: str, numerals: Numerals) -> str:
    if character.isdecimal():
        return numerals.digits(character)
    name = _SIGNS.get(character)
    if name and language in WORDS:
        return str(getattr(WORDS[language], name))
    # A capital is read by its name: `a` alone is an article.
    return character.upper() if len(character.upper()) == len(character) else character


def _digits(text: str, _format: str, _language: str, numerals: Numerals) -> str:
    return " ".join(re.sub(r"\d+", lambda match: f" {numerals.digits(match[0])} ", text).split())


def _telephone(text: str, _format: str, language: str, numerals: Numerals) -> str:
    """Read groups of digits one by one, with short pauses between them; letters, as in `1-800-FLOWERS`, are kept."""
    said = []
    for part in _TELEPHONE.findall(text):
        if part == "#" and language in WORDS:
            said.append(WORDS[language].hash)
        else:
            said.append(numerals.digits(part) if part.isdecimal() else part)
    plus = "" if not text.lstrip().startswith("+") else f"{WORDS[language].plus} " if language in WORDS else "+"
    return plus + ", ".join(said) if said else text


def _cardinal(text: str, _format: str, language: str, numerals: Numerals) -> str:
    return _number(text, language, numerals.cardinal)


def _ordinal(text: str, _format: str, language: str, numerals: Numerals) -> str:
    return _number(text, language, numerals.ordinal)


def _number(text: str, language: str, say: Callable[[int], str]) -> str:
    """Read a whole number; one with decimals, or in a language whose words for signs are not known, is as written."""
    words = WORDS.get(language)
    marks = " '\u2019\u00a0\u202f" + (".,".replace(words.decimal_mark, "") if words else "")
    grouped = rf"\s*[+\-\u2212]?\s*\d{{1,3}}(?:[{marks}]\d{{3}})+\s*"
    number = _NUMBER.fullmatch(re.sub(f"[{marks}]", "", text) if re.fullmatch(grouped, text) else text)
    if not number or (number[1] and not words):
        return text
    sign = "" if not (number[1] and words) else f"{words.plus if number[1] == '+' else words.minus} "
    return sign + say(int(number[2]))


def _date(text: str, order: str, language: str, numerals: Numerals) -> str:
    """Write a date with the name of its month; without a format only one that begins with its year, as others are ambiguous."""
    # Services write `yyyymmdd` and `mm/dd/yyyy` too.
    order = "".join(dict.fromkeys(re.sub(r"[^dmy]", "", order.lower())))
    parts = _parts(text, order)
    if not order and len(parts) == 3 and len(parts[0]) == 4:
        order = "ymd"
    if len(parts) != len(order) or not parts:
        return text
    by_name = dict(zip(order, parts, strict=True))
    if order == "y" and language != "zh":
        return numerals.year(int(parts[0])) or text
    forms = {"m": "{m}", **_DATES[language]} if language in _DATES else {}
    form = forms.get("".join(sorted(order)))
    if not form or not _is_date(by_name):
        return text
    day = str(int(by_name.get("d", "1")))
    return form.format(
        d=_FIRST_DAY.get(language, day) if day == "1" else day,
        m=_MONTHS[language].split()[int(by_name.get("m", "1")) - 1],
        y=by_name.get("y", ""),
    )


def _parts(text: str, order: str) -> list[str]:
    if len(order) == 3 and (solid := _SOLID_DATE.fullmatch(text)):
        ends = accumulate((4 if part == "y" else 2 for part in order), initial=0)
        return [solid[1][start:stop] for start, stop in pairwise(ends)]
    return re.findall(r"\d+", text) if _DATE.fullmatch(text) else []


def _is_date(parts: Mapping[str, str]) -> bool:
    has_year = len(parts.get("y", "2000")) in (2, 4)
    return has_year and 1 <= int(parts.get("d", "1")) <= 31 and 1 <= int(parts.get("m", "1")) <= 12


def _time(text: str, _format: str, language: str, _numerals: Numerals) -> str:
    """Write a time of the day with 24 hours where `p.m.` is not said, and a time in minutes and seconds with their units."""
    if lasting := _MINUTES.fullmatch(text):
        return f"{lasting[1]} min {lasting[2]} s" if lasting[2] else f"{lasting[1]} min"
    half = _HALF_DAY.fullmatch(text)
    if not half or language == "en" or not 1 <= int(half[1]) <= 12:
        return text
    hour = int(half[1]) % 12 + 12 * (half[3].lower() == "p")
    return f"{hour}:{half[2] or '00'}"


_READERS: Mapping[str, Callable[[str, str, str, Numerals], str]] = {
    "characters": _characters, "digits": _digits, "telephone": _telephone, "cardinal": _cardinal, "ordinal": _ordinal,
    "date": _date, "time": _time,
}  # fmt: skip
