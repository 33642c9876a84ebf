"""XTTS's own way from text to ids: Coqui's tokenizer over the vocabulary in the artifact."""

import logging
from collections.abc import Iterator
from typing import Any

from loader.artifacts.artifact import Artifact
from loader.errors import ArtifactError
from loader.text.sentences import split_at_breaks
from loader.text.utterance import Reading

VOCABULARY_FILE = "vocab.json"
#: Longest piece of text in languages that Coqui's tokenizer names no limit for.
_USUAL_CHARACTERS = 250

log = logging.getLogger("chorus.loader")


class BpeFrontEnd:
    """Numbers text exactly as Coqui's VoiceBpeTokenizer does, in pieces that XTTS can hold."""

    def __init__(self, tokenizer: Any, most_ids: int) -> None:
        """Take Coqui's tokenizer, and how many ids an utterance may have at most."""
        self._tokenizer = tokenizer
        self._most_ids = most_ids

    def utterances(self, sentence: str, language: str) -> Iterator[Reading | None]:
        """Yield the ids of one sentence, cut if it is too long for one pass; None for a piece that makes no sound."""
        limit = self._tokenizer.char_limits.get(language.split("-")[0], _USUAL_CHARACTERS)
        for piece in split_at_breaks(sentence, limit):
            if any(map(str.isalnum, piece)):
                yield from self._within_limit(piece, language)
            else:
                yield None

    def read(self, text: str, language: str) -> str:
        """Return no phonemes: XTTS has none."""
        return ""

    def _within_limit(self, piece: str, language: str) -> Iterator[Reading]:
        ids = self._ids(piece.strip().lower(), language)
        if len(ids) <= self._most_ids:
            yield Reading(ids, piece)
        elif len(piece) > 1:
            for half in split_at_breaks(piece, -(-len(piece) // 2)):
                yield from self._within_limit(half, language)

    def _ids(self, text: str, language: str) -> list[int]:
        try:
            return list(self._tokenizer.encode(text, lang=language))
        except MemoryError:
            raise
        except Exception as error:  # third-party code over any text; its errors share no base class
            log.info("a sentence stays as written: the tokenizer's cleaners raised %s", type(error).__name__)
            named = f"[{'zh-cn' if language == 'zh' else language}]{text}".replace(" ", "[SPACE]")
            return list(self._tokenizer.tokenizer.encode(named).ids)


def open_front_end(artifact: Artifact) -> BpeFrontEnd:
    """Return the front end of a baked XTTS. Runs in the master, or in the worker that opens the voice."""
    tokenizer = coqui_tokenizer(bytes(artifact.buffers[VOCABULARY_FILE]))
    return BpeFrontEnd(tokenizer, artifact.manifest.network["xtts"]["most_ids"])


def coqui_tokenizer(vocabulary: bytes) -> Any:
    """Return Coqui's tokenizer over a vocabulary in the `tokenizers` library's JSON.

    Raises:
        ArtifactError: this is no vocabulary.
    """
    from tokenizers import Tokenizer
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    tokenizer = VoiceBpeTokenizer()
    try:
        tokenizer.tokenizer = Tokenizer.from_buffer(vocabulary)
    except Exception as error:  # the library raises Exception itself
        raise ArtifactError(f"{VOCABULARY_FILE}: not a vocabulary: {error}; bake the voice again") from error
    return tokenizer
