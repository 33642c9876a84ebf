"""Text front end of a Coqui voice: its cleaners, phonemizers and ids, without torch."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from loader.artifacts.artifact import TextFacts
from loader.text.espeak import Espeak
from loader.text.given import insert_phonemes
from loader.text.isolated_import import ReadSource, import_privately
from loader.text.lexicon.lexicon import Pronunciation
from loader.text.phonemizers import (
    Needs,
    Phonemizer,
    Phonemizers,
    modules_of,
    phonemize_safely,
    require,
    require_phonemizer,
)
from loader.text.reading import Reading, SymbolFrontEnd

CLEANERS = "TTS.tts.utils.text.cleaners"
PUNCTUATION = "TTS.tts.utils.text.punctuation"
#: Optional packages of Coqui's cleaners.
_NEEDS: Mapping[str, Needs] = {"uroman_cleaners": Needs("uroman", {"uroman": "uroman"})}
#: A number: has the cleaners import their libraries now, in the master.
_WARM_UP_TEXT = "1 2nd $3.50"

Item = TypeVar("Item")

log = logging.getLogger("chorus.loader")


def require_cleaner(name: str) -> None:
    """Check that the cleaner of that name can be used here.

    Raises:
        MissingPackageError: it needs a package that is not installed.
    """
    if name in _NEEDS:
        require(_NEEDS[name], f"the text cleaner {name!r} of the voice")


def import_sources(facts: TextFacts, read_source: ReadSource) -> dict[str, ModuleType]:
    """Import Coqui's modules for a voice of those settings, by their names.

    Raises:
        MissingPackageError: one of them needs a package that is not installed.
        UnsupportedModelError: this version does not support the phonemizer.
    """
    if facts.cleaner:
        require_cleaner(facts.cleaner)
    phonemizers = list(dict.fromkeys(name for name, _language in facts.phonemizers.values()))
    for name in phonemizers:
        require_phonemizer(name)
    names = [CLEANERS, PUNCTUATION, *modules_of(phonemizers)]
    return dict(zip(names, import_privately("TTS", names, read_source), strict=True))


class TextFrontEnd(SymbolFrontEnd):
    """Cleans, phonemizes and numbers text exactly as Coqui's TTSTokenizer would.

    Opened in the master before the fork; immutable afterwards. Used by many threads.
    """

    def __init__(self, facts: TextFacts, languages: Sequence[str], sources: Mapping[str, Any], espeak: Espeak) -> None:
        """Import the cleaners and phonemizers carried by the artifact.

        Args:
            facts: the voice's text settings.
            languages: those of the voice, by Coqui's names.
            sources: the artifact's files by name; those ending in `.py` are Coqui's.
            espeak: shared by all voices of the process.

        Raises:
            EspeakError: the phonemizer does not know the voice's language.
            MissingPackageError: a cleaner or phonemizer needs a package that is not installed.
        """
        super().__init__(facts)
        modules = import_sources(facts, lambda name: _bytes_of(sources.get(f"{name}.py")))
        self._cleaner = getattr(modules[CLEANERS], facts.cleaner) if facts.cleaner else None
        self._phonemizers = _open_phonemizers(facts, Phonemizers(espeak, modules[PUNCTUATION], modules, sources))
        # Some of their dictionaries have one state, and so has the library that spells out numbers.
        self._reading = threading.Lock()
        for language in languages:
            self.clean(_WARM_UP_TEXT, language)

    def readings(
        self, piece: str, language: str, given: Sequence[Pronunciation]
    ) -> Iterator[tuple[str, str, Sequence[Pronunciation]]]:
        """Yield the piece as a whole."""
        yield piece, self._read_piece(piece, language, given), given

    def _read_piece(self, piece: str, language: str, given: Sequence[Pronunciation]) -> str:
        """Return the phonemes of a piece, with the given ones.

        Coqui's code drops every word after an opening quote or dots if no other mark
        follows (coqui-tts 0.28.0); then the words are read without the marks before them.
        """
        phonemes = self.read(piece, language)
        if given:
            return insert_phonemes(piece, phonemes, given, partial(self.read, language=language))
        if self.is_audible(phonemes) or not any(map(str.isalnum, piece)):
            return phonemes
        start = next(place for place, character in enumerate(piece) if character.isalnum())
        return self.read(piece[start:], language)

    def read(self, text: str, language: str) -> str:
        """Return the phonemes of raw text."""
        return self.phonemes(self.clean(text, language), language)

    def clean(self, sentence: str, language: str) -> str:
        """Spell out numbers and abbreviations, and drop characters that are not spoken.

        A text on which the cleaner fails stays as written: one unusual number must not
        end a speech that may have been running for minutes.
        """
        if self._cleaner is None:
            return sentence
        try:
            with self._reading:
                return str(self._cleaner(sentence, lang=without_region(language)))
        except MemoryError:
            raise
        except Exception as error:  # third-party code over any text; its errors share no base class
            log.info("a sentence stays as written: %s raised %s", self._facts.cleaner, type(error).__name__)
            return sentence

    def phonemes(self, cleaned: str, language: str) -> str:
        """Return phonemes and the punctuation between them; the characters if the voice has no phonemizer."""
        if not self._phonemizers:
            return cleaned
        with self._reading:
            return phonemize_safely(self._phonemizers[language], cleaned)

    def number(self, text: str, phonemes: str, part: range | None = None) -> Reading:
        """Number the phonemes of `text`, or a part of them, without symbols that the voice does not have, as Coqui does."""
        facts = self._facts
        positions: list[int | None] = [place for place in part or range(len(phonemes)) if phonemes[place] in facts.ids]
        ids = [facts.ids[phonemes[place]] for place in positions if place is not None]
        if facts.add_blank:
            ids, positions = _interleave(ids, facts.blank_id), _interleave(positions, None)
        if facts.add_bos_eos:
            ids, positions = [facts.bos_id, *ids, facts.eos_id], [None, *positions, None]
        return Reading(ids, text, phonemes, positions, part.start if part else 0)


def without_region(language: str) -> str:
    """Return `en` for `en-us` and `en_US`."""
    return language.replace("_", "-").split("-")[0].lower()


def _open_phonemizers(facts: TextFacts, phonemizers: Phonemizers) -> dict[str, Phonemizer]:
    """Open each phonemizer once for each of its languages."""
    wanted = {language: (name, its_language) for language, (name, its_language) in facts.phonemizers.items()}
    opened = {each: phonemizers.open(*each) for each in dict.fromkeys(wanted.values())}
    return {language: opened[each] for language, each in wanted.items()}


def _interleave(items: Sequence[Item], blank: Item) -> list[Item]:
    """Return the items with a blank before, between and after them."""
    blanked = [blank] * (2 * len(items) + 1)
    blanked[1::2] = items
    return blanked


def _bytes_of(content: Any) -> bytes | None:
    return None if content is None else bytes(content)
