"""Rules before the library: addresses of the network, versions, telephone numbers, ranges, signs, ordinal marks.

Each leaves words, or digits in a form that the library reads.
"""

import importlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals
from loader.text.normalization.words import ABBREVIATIONS, EUROPEAN, Words

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_TOP_LEVEL = r"(?:com|org|net|edu|gov|io|ai|de|fr|es|it|pt|eu|uk|ch|at|info|dev|app)"
_URL = re.compile(
    r"(?<![\w@])(?:(?:https?|ftp)://|www\.)[^\s<>\"'“”»]*[^\s<>\"'“”».,;:!?)\]}]"
    rf"|(?<![\w@.-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}{_TOP_LEVEL}(?:/[^\s<>\"']*[^\s<>\"'.,;:!?)\]}}])?(?![\w@-]|\.\w)"
)
_IP = re.compile(r"(?<![\w.,])(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?(?:/\d{1,2})?(?!\w|[.,]\d)")
_VERSION = re.compile(r"(?<![\w.,$€£])(v(?:er\.?|ersion)?\s?)?(\d+(?:\.\d+){2,})(?!\w|[.,]\d)", re.IGNORECASE)
_V_NUMBER = re.compile(r"(?<!\w)[vV](\d+(?:\.\d+)?)(?!\w|\.\w)")
_DATE = re.compile(r"[0-3]?\d\.[01]?\d\.(?:\d{4}|\d{2})|\d{4}\.[01]?\d\.[0-3]?\d")
_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+")
_MILLIONS = re.compile(r"(?<![\w.,])\d{1,3}(?:\.\d{3}){2,}(?![\w.])")
_SPACED = re.compile(r"(?<![\w.,-])\d{1,3}(?: \d{3})+(?!\w|[.,]?\d| \d)")
_PHONE = re.compile(r"(?<![\w+])\+\d{1,3}(?:[ \-./]?\(?\d{1,5}\)?){2,6}(?!\w|-\d)")
_DIGITS = re.compile(r"\d+")
_TIGHT_MINUS = re.compile(r"(?<![\w.,)\]%°-])[-\u2212\u2013](?=[.,]?\d)")
_MINUS = re.compile(r"\s*\u2212\s*")
_RANGE = re.compile(r"(?<![\w.,/-])(\d+(?:[.,]\d+)?)\s?([-\u2013\u2012]|\s\u2014\s)\s?(\d+(?:[.,]\d+)?)(?![\w/-]|[.,]\d)")
_LEADING_ZEROS = re.compile(r"(?<![\w.,:/-])0\d+(?![\w/:-]|[.,]\d)")
_GENERATION = re.compile(r"(?<![\w.,])(\d)(?=[GKDP](?!\w))")
_SLASH = re.compile(r"(?<=[^\W\d_]{2})/(?=[^\W\d_]{2})")
#: Names of `Words`.
_SIGNS = (
    (re.compile(r"\s*±\s*(?=[\d.])"), "plus_minus"),
    (re.compile(r"(?<=[\d)])\s*[×✕]\s*(?=[\d(])"), "times"),
    (re.compile(r"\s*(?:≤|<=)\s*(?=[-\d.$€£])"), "less_equal"),
    (re.compile(r"\s*(?:≥|>=)\s*(?=[-\d.$€£])"), "greater_equal"),
    (re.compile(r"\s*<\s*(?=[-\d.$€£])"), "less"),
    (re.compile(r"\s*>\s*(?=[-\d.$€£])"), "greater"),
    (re.compile(r"(?<=[\w)€$£%°²³])\s*=\s*(?=[-\w(€$£])"), "equals"),
    (re.compile(r"(?<=\s)\+(?=\s)|(?<=\d)\s*\+\s*(?=\d)|(?<![\w+])\+(?=\d)"), "plus"),
    (re.compile(r"(?<![\w~])[~≈]\s?(?=\d)"), "about"),
    (re.compile(r"(?<=\w)\s*&\s*(?=[\w#])"), "ampersand"),
    (re.compile(r"(?<!\w)#(?=\d)|№\s?(?=\d)"), "number"),
)


@dataclass(frozen=True)
class Rules:
    """The rules of one language that has `Words`."""

    language: str
    words: Words
    numerals: Numerals

    def apply(self, text: AlignedText) -> AlignedText:
        """Return the text after every rule, each applied once."""
        for pattern, spoken in ABBREVIATIONS[self.language]:
            text = text.substituted(pattern, spoken)
        text = self._family.speak_abbreviations(text, self.numerals)
        text = text.substituted(_EMAIL, lambda match: self._address(match[0]))
        text = text.substituted(_URL, lambda match: self._url(match[0]))
        text = self._family.speak_words(text, self.numerals)
        if any(map(str.isnumeric, text.text)):
            text = self._numbers(text)
        for pattern, name in _SIGNS:
            text = text.substituted(pattern, f" {getattr(self.words, name)} ")
        text = self._family.speak_counts(text, self.numerals, self.words)
        return text.substituted(_SLASH, " ")

    @cached_property
    def _family(self) -> Any:
        """The module of the language's own readings. Imported late: it compiles patterns for 25 ms (2026-11-30)."""
        family = "european" if self.language in EUROPEAN else "english"
        return importlib.import_module(f"loader.text.normalization.{family}.reading")

    def _numbers(self, text: AlignedText) -> AlignedText:
        text = text.substituted(_IP, self._ip).substituted(_PHONE, lambda match: self._phone(match[0]))
        text = self._family.speak_numbers(text, self.numerals, self.words)
        text = text.substituted(_VERSION, self._version).substituted(_V_NUMBER, lambda match: f"version {match[1]}")
        if self.language != "en":
            text = text.substituted(_MILLIONS, lambda match: match[0].replace(".", ""))
        text = text.substituted(_SPACED, self._spaced)
        text = text.substituted(_TIGHT_MINUS, f"{self.words.minus} ")
        text = text.substituted(_RANGE, lambda match: f"{match[1]} {self.words.to} {match[3]}")
        text = self._family.speak_years(text, self.numerals)
        text = text.substituted(_LEADING_ZEROS, lambda match: self.numerals.digits(match[0]))
        text = text.substituted(_GENERATION, lambda match: f"{self.numerals.cardinal(int(match[1]))} ")
        return text.substituted(_MINUS, f" {self.words.minus} ")

    def _ip(self, match: re.Match[str]) -> str | None:
        if any(int(each) > 255 or each != str(int(each)) for each in match[1].split(".")):
            return None
        spoken = _DIGITS.sub(lambda digits: self.numerals.digits(digits[0]), match[0])
        for mark, word in ((".", self._dot), (":", self.words.colon), ("/", self.words.slash)):
            spoken = spoken.replace(mark, f" {word} ")
        return spoken

    @property
    def _dot(self) -> str:
        return self.words.dot or self.words.point

    def _phone(self, number: str) -> str:
        groups = self.numerals.telephone(number)
        return f"{self.words.plus} {groups}" if number.startswith("+") else groups

    def _version(self, match: re.Match[str]) -> str | None:
        number = match[2]
        is_date = _DATE.fullmatch(number) and (self.language != "en" or re.search(r"\d{4}", number))
        is_other = is_date or (self.language != "en" and _GROUPED.fullmatch(number))
        if is_other and not match[1]:
            return None
        prefix = "version " if (match[1] or "").strip().lower() in ("v", "v.") else match[1] or ""
        return prefix + f" {self.words.point} ".join(self.numerals.cardinal(int(part)) for part in number.split("."))

    def _spaced(self, match: re.Match[str]) -> str | None:
        """Join groups of three digits; in languages that write a mark between them, two groups may be two numbers."""
        groups = match[0].split(" ")
        is_two = len(groups) == 2 and groups[1] != "000" and self.language in ("en", "es", "it", "pt")
        return None if is_two else "".join(groups)

    def _url(self, url: str) -> str | None:
        if url.replace(".", "").isdigit():
            return None
        said = self._address(url.partition("://")[2] or url)
        return re.sub(r"^www\b", "w w w", said, flags=re.IGNORECASE)

    def _address(self, address: str) -> str:
        words = self.words
        for mark, word in (
            (".", self._dot), ("@", words.at), ("/", words.slash), ("-", words.dash), ("_", words.underscore), (":", words.colon),
            ("+", words.plus), ("=", words.equals), ("&", words.ampersand), ("#", words.hash),
        ):  # fmt: skip
            address = address.rstrip("/").replace(mark, f" {word} ")
        address = _DIGITS.sub(lambda match: f" {match[0] if len(match[0]) < 3 else self.numerals.digits(match[0])} ", address)
        return " ".join(re.sub(r"[^\w\s']", " ", address).split())
