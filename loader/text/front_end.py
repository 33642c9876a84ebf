"""One voice's way from a sentence to phoneme ids. Knows no audio and no request."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

from loader.artifacts.artifact import TextFacts
from loader.text.cleaners import CLEANERS, require_cleaner
from loader.text.espeak import Espeak
from loader.text.isolated_import import ReadSource, import_privately
from loader.text.phonemizers import (
    Phonemizer,
    Phonemizers,
    modules_of,
    read_what_can_be_read,
    require_phonemizer,
)
from loader.text.sentences import UTTERANCE_PHONEMES, piece_characters, split_at_breaks
from loader.text.utterance import Reading

Item = TypeVar("Item")

PUNCTUATION = "TTS.tts.utils.text.punctuation"

log = logging.getLogger("chorus.loader")

#: A number, to have the cleaners import what they import late, in the master and once.
_WARM_UP_TEXT = "1 2nd $3.50"


def import_sources(facts: TextFacts, read_source: ReadSource) -> dict[str, ModuleType]:
    """Import what a voice of those settings takes of Coqui's, each module by its name.

    Raises:
        MissingPackageError: one of them needs a package that is not installed.
        UnsupportedModelError: this version has no such phonemizer.
    """
    if facts.cleaner:
        require_cleaner(facts.cleaner)
    phonemizers = list(dict.fromkeys(name for name, _language in facts.phonemizers.values()))
    for name in phonemizers:
        require_phonemizer(name)
    names = [CLEANERS, PUNCTUATION, *modules_of(phonemizers)]
    return dict(zip(names, import_privately("TTS", names, read_source), strict=True))


class TextFrontEnd:
    """Cleans, phonemizes and numbers text exactly as Coqui's TTSTokenizer would.

    Opened in the master before the fork; immutable afterwards. Used by many threads.
    """

    def __init__(self, facts: TextFacts, languages: Sequence[str], sources: Mapping[str, Any], espeak: Espeak) -> None:
        """Import the cleaners and phonemizers carried by the artifact.

        Args:
            facts: the voice's text settings.
            languages: what the voice speaks, as Coqui names it.
            sources: the artifact's files by name; those ending in `.py` are Coqui's.
            espeak: shared by all voices of the process.

        Raises:
            EspeakError: the phonemizer does not know the voice's language.
            MissingPackageError: a cleaner or phonemizer needs a package that is not installed.
        """
        self._facts = facts
        modules = import_sources(facts, lambda name: _bytes_of(sources.get(f"{name}.py")))
        self._cleaner = getattr(modules[CLEANERS], facts.cleaner) if facts.cleaner else None
        self._phonemizers = _opened(facts, Phonemizers(espeak, modules[PUNCTUATION], modules, sources))
        # The dictionaries under some of them have one state, as has the library that spells out numbers.
        self._reading = threading.Lock()
        for language in languages:
            self.clean(_WARM_UP_TEXT, language)

    def utterances(self, sentence: str, language: str) -> Iterator[Reading | None]:
        """Yield the ids of one sentence, cut if it is too long for one pass; None for a piece that makes no sound.

        Args:
            sentence: raw text.
            language: one of the voice's, as the manifest names it.
        """
        for piece in split_at_breaks(sentence, piece_characters(sentence)):
            phonemes, done, is_silent = self._read_aloud(piece, language), 0, True
            for part in split_at_breaks(phonemes, UTTERANCE_PHONEMES):
                start = phonemes.index(part, done)
                done = start + len(part)
                if self.is_audible(part):
                    is_silent = False
                    yield self.numbered(piece, phonemes, range(start, done))
            if is_silent:
                yield None

    def _read_aloud(self, piece: str, language: str) -> str:
        """Return the phonemes of a piece.

        Coqui's code drops every word after an opening quote or dots where no other mark
        follows (coqui-tts 0.28.0); then they are read without what stands before them.
        """
        phonemes = self.read(piece, language)
        if self.is_audible(phonemes) or not any(map(str.isalnum, piece)):
            return phonemes
        start = next(place for place, character in enumerate(piece) if character.isalnum())
        return self.read(piece[start:], language)

    def read(self, text: str, language: str) -> str:
        """Return the phonemes of raw text."""
        return self.phonemes(self.clean(text, language), language)

    def clean(self, sentence: str, language: str) -> str:
        """Spell out numbers and abbreviations, drop what is not spoken.

        What the cleaner cannot read stays as it is written: one strange number must not
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
        """Return phonemes with the punctuation between them kept; characters where there is no phonemizer."""
        if not self._phonemizers:
            return cleaned
        with self._reading:
            return read_what_can_be_read(self._phonemizers[language], cleaned)

    def numbered(self, text: str, phonemes: str, part: range | None = None) -> Reading:
        """Number the phonemes of `text`, or a part of them; what the voice never learnt is left out, as Coqui leaves it out."""
        facts = self._facts
        positions: list[int | None] = [place for place in part or range(len(phonemes)) if phonemes[place] in facts.ids]
        ids = [facts.ids[phonemes[place]] for place in positions if place is not None]
        if facts.add_blank:
            ids, positions = _interleaved(ids, facts.blank_id), _interleaved(positions, None)
        if facts.add_bos_eos:
            ids, positions = [facts.bos_id, *ids, facts.eos_id], [None, *positions, None]
        return Reading(ids, text, phonemes, positions, part.start if part else 0)

    def is_audible(self, phonemes: str) -> bool:
        """Whether at least one letter or phoneme of the voice is there, not only punctuation."""
        return any(symbol.isalnum() and symbol in self._facts.ids for symbol in phonemes)


def without_region(language: str) -> str:
    """Return `en` for `en-us`."""
    return language.split("-")[0]


def _opened(facts: TextFacts, phonemizers: Phonemizers) -> dict[str, Phonemizer]:
    """Open each phonemizer once for each language that is asked of it."""
    wanted = {language: (name, asked_for) for language, (name, asked_for) in facts.phonemizers.items()}
    opened = {each: phonemizers.opened(*each) for each in dict.fromkeys(wanted.values())}
    return {language: opened[each] for language, each in wanted.items()}


def _interleaved(items: Sequence[Item], blank: Item) -> list[Item]:
    """Return the items with a blank before, between and after them."""
    blanked = [blank] * (2 * len(items) + 1)
    blanked[1::2] = items
    return blanked


def _bytes_of(content: Any) -> bytes | None:
    return None if content is None else bytes(content)
