"""One voice's way from a sentence to phoneme ids. Knows no audio and no request."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loader.artifact import TextFacts
from loader.text.espeak import Espeak
from loader.text.private_import import import_privately
from loader.text.sentences import PIECE_CHARACTERS, UTTERANCE_PHONEMES, split_at_breaks

CLEANERS = "TTS.tts.utils.text.cleaners"
PUNCTUATION = "TTS.tts.utils.text.punctuation"

log = logging.getLogger("chorus.loader")

#: A number, to have the cleaners import what they import late, in the master and once.
_WARM_UP_TEXT = "1 2nd $3.50"


class TextFrontEnd:
    """Cleans, phonemizes and numbers text exactly as Coqui's TTSTokenizer would.

    Opened in the master before the fork; immutable afterwards.
    """

    def __init__(self, facts: TextFacts, languages: Sequence[str], sources: Mapping[str, Any], espeak: Espeak) -> None:
        """Import the cleaners carried by the artifact.

        Args:
            facts: the voice's text settings.
            languages: what the voice speaks, as Coqui names it.
            sources: the artifact's files by name; those ending in `.py` are Coqui's.
            espeak: shared by all voices of the process.

        Raises:
            EspeakError: the phonemizer does not know the voice's language.
        """
        self._facts = facts
        self._espeak = espeak
        cleaners, punctuation = import_privately(
            "TTS", [CLEANERS, PUNCTUATION], lambda name: _bytes_of(sources.get(f"{name}.py"))
        )
        self._cleaner = getattr(cleaners, facts.cleaner) if facts.cleaner else None
        self._punctuation = punctuation.Punctuation()
        for _name, language in facts.phonemizers.values():
            espeak.select(language)
        for language in languages:
            self.clean(_WARM_UP_TEXT, language)

    def utterances(self, sentence: str, language: str) -> Iterator[list[int]]:
        """Yield the ids of one sentence, cut where it is too long for one pass; none where it makes no sound.

        Args:
            sentence: raw text.
            language: one of the voice's, as the manifest names it.
        """
        for piece in split_at_breaks(sentence, PIECE_CHARACTERS):
            phonemes = self.phonemes(self.clean(piece, language), language)
            for part in split_at_breaks(phonemes, UTTERANCE_PHONEMES):
                if self.is_audible(part):
                    yield self.ids(part)

    def clean(self, sentence: str, language: str) -> str:
        """Spell out numbers and abbreviations, drop what is not spoken.

        What the cleaner cannot read stays as it is written: one strange number must not
        end a speech that may have been running for minutes.
        """
        if self._cleaner is None:
            return sentence
        try:
            return str(self._cleaner(sentence, lang=without_region(language)))
        except MemoryError:
            raise
        except Exception as error:  # third-party code over any text; its errors share no base class
            log.info("a sentence stays as written: %s raised %s", self._facts.cleaner, type(error).__name__)
            return sentence

    def phonemes(self, cleaned: str, language: str) -> str:
        """Return phonemes with the punctuation between them kept; characters where there is no phonemizer."""
        if not self._facts.phonemizers:
            return cleaned
        _name, asked_for = self._facts.phonemizers[language]
        pieces, marks = self._punctuation.strip_to_restore(cleaned.strip())
        spoken = [self._espeak.phonemize(piece, asked_for) for piece in pieces]
        return str(self._punctuation.restore(spoken, marks)[0])

    def ids(self, phonemes: str) -> list[int]:
        """Number the phonemes; what the voice never learnt is left out, as Coqui leaves it out."""
        known = self._facts.ids
        ids = [known[symbol] for symbol in phonemes if symbol in known]
        if self._facts.add_blank:
            blanked = [self._facts.blank_id] * (2 * len(ids) + 1)
            blanked[1::2] = ids
            ids = blanked
        if self._facts.add_bos_eos:
            ids = [self._facts.bos_id, *ids, self._facts.eos_id]
        return ids

    def is_audible(self, phonemes: str) -> bool:
        """Whether at least one letter or phoneme of the voice is there, not only punctuation."""
        return any(symbol.isalnum() and symbol in self._facts.ids for symbol in phonemes)


def without_region(language: str) -> str:
    """Return `en` for `en-us`."""
    return language.split("-")[0]


def _bytes_of(content: Any) -> bytes | None:
    return None if content is None else bytes(content)
