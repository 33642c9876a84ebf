"""Lexicon entries: a term, and its respelling or its phonemes. Checks and cleans what people write."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from loader.errors import InlineLexiconError
from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.characters import clean_characters

#: Bounds of an entry. Matching takes up to MAX_TERM_CHARACTERS steps for each word of a text.
MAX_TERM_CHARACTERS = 100
MAX_SPOKEN_CHARACTERS = 200
#: Of one file, and of one request.
MAX_ENTRIES = 100_000
MAX_INLINE_ENTRIES = 200

#: Values of the third column of a TSV file.
ANY_CASE, EXACT_CASE = "any", "exact"

#: ASCII that people type for IPA, and marks that Coqui's voices have no symbol for: ties, syllable breaks, linking.
_IPA = str.maketrans({"g": "ɡ", ":": "ː", "'": "ˈ", "\u0361": None, "\u035c": None, ".": None, "\u203f": None})
_REMEDY = "write term<TAB>respelling or term<TAB>/ipa/"


@dataclass(frozen=True, slots=True)
class Entry:
    """A term and how it is spoken: one of `respelling` and `phonemes` is empty."""

    term: str
    respelling: str = ""
    #: Symbols as Coqui's espeak voices have them.
    phonemes: str = ""
    #: Match the term in its own case only.
    is_exact: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What another entry of the same file may not share."""
        return fold(self.term), self.term if self.is_exact else ""


def fold(text: str) -> str:
    """Return the text for comparisons of any case, character by character: its length stays.

    `İ` is the one letter whose small form is two characters; a final sigma depends on what follows.
    """
    return text.replace("İ", "i").lower().replace("ς", "σ")


def parse_entry(term: str, spoken: str, case: str = "") -> Entry:
    """Return the entry of a term and its respelling, or its IPA between slashes.

    A term in lower case matches any case, one with capitals its own case only, unless `case` is `any` or `exact`.

    Raises:
        ValueError: the message has the value and the remedy.
    """
    spoken = " ".join(spoken.split())
    if spoken.startswith("/") or spoken.endswith("/"):
        if not (spoken.startswith("/") and spoken.endswith("/") and spoken.strip("/ ")):
            raise ValueError(f"{spoken[:80]!r} has one slash or no phonemes; write IPA between two slashes: /ˈaɪ piː eɪ/")
        return parse_phonemes(term, spoken.strip("/"), case)
    return _entry(term, case, respelling=_parse_text(spoken, "respelling", MAX_SPOKEN_CHARACTERS))


def parse_phonemes(term: str, ipa: str, case: str = "") -> Entry:
    """Return the entry of a term and its IPA; errors as `parse_entry`."""
    checked = _parse_text(ipa, "phonemes", MAX_SPOKEN_CHARACTERS)
    # Coqui's symbols are decomposed, but for this one.
    phonemes = unicodedata.normalize("NFD", checked).replace("c\u0327", "ç").translate(_IPA)
    if not any(map(str.isalnum, phonemes)):
        raise ValueError(f"{ipa[:80]!r} has no phoneme; {_REMEDY}")
    return _entry(term, case, phonemes=" ".join(phonemes.split()))


def parse_inline_lexicon(lexicon: Mapping[str, str], max_entries: int = MAX_INLINE_ENTRIES) -> list[Entry]:
    """Return the entries of a request's lexicon: term to respelling or `/ipa/`.

    Raises:
        InlineLexiconError: lists every problem.
    """
    if len(lexicon) > max_entries:
        raise InlineLexiconError([f"{len(lexicon)} entries; at most {max_entries}: send only terms of this text"])
    entries: dict[tuple[str, str], Entry] = {}
    problems = []
    for term, spoken in lexicon.items():
        try:
            entry = parse_entry(term, spoken)
        except ValueError as error:
            problems.append(f"{term[:80]!r}: {error}")
            continue
        if entry.key in entries:
            problems.append(f"{term[:80]!r}: the same term as {entries[entry.key].term!r}; remove one")
        entries[entry.key] = entry
    if problems:
        raise InlineLexiconError(problems)
    return list(entries.values())


def unknown_symbols(phonemes: str, known: Collection[str]) -> list[str]:
    """Return the symbols that a voice does not have, each once and in order; white space needs none."""
    return [symbol for symbol in dict.fromkeys(phonemes) if symbol not in known and not symbol.isspace()]


def find_unknown_symbols(entries: Iterable[Entry], known: Collection[str]) -> dict[str, list[str]]:
    """Return each term whose phonemes have symbols that a voice does not have, with these symbols."""
    found = ((entry.term, unknown_symbols(entry.phonemes, known)) for entry in entries)
    return {term: symbols for term, symbols in found if symbols}


def _entry(term: str, case: str, respelling: str = "", phonemes: str = "") -> Entry:
    """Return the entry of a term as texts have it after the cleaning of their characters."""
    cleaned = _parse_text(clean_characters(AlignedText.of(term, 0, len(term))).text, "term", MAX_TERM_CHARACTERS)
    if case not in ("", ANY_CASE, EXACT_CASE):
        raise ValueError(f"the case is {case[:80]!r}; write {ANY_CASE} or {EXACT_CASE}, or leave it out")
    return Entry(cleaned, respelling, phonemes, case == EXACT_CASE if case else cleaned != cleaned.lower())


def _parse_text(text: str, name: str, limit: int) -> str:
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if not text:
        raise ValueError(f"no {name}; {_REMEDY}")
    if len(text) > limit:
        raise ValueError(f"the {name} {text[:40]!r}... has {len(text)} characters; at most {limit}: shorten it")
    if not text.isprintable():
        named = next(f"U+{ord(each):04X}" for each in text if not each.isprintable())
        raise ValueError(f"the {name} {text[:80]!r} has the character {named}, which cannot be printed; remove it")
    return text
