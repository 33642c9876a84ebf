"""Resolve a voice: from the names that a client sends to a voice and the rows of its speaker and language.

Clients made for OpenAI know only OpenAI's voices, or can send only one name.
"""

from dataclasses import dataclass

from app.errors import UnknownLanguageRequestedError, UnknownSpeakerRequestedError, UnknownVoiceRequestedError
from loader.errors import UnknownLanguageError, UnknownSpeakerError, UnknownVoiceError
from loader.voices.catalog import Catalog
from loader.voices.voice import Voice

#: OpenAI's voices. Clients have these built in and cannot always name another.
STOCK_VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
#: OpenAI's models of speech.
STOCK_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_SPEAKER = "#"


@dataclass(frozen=True)
class ResolvedVoice:
    """A voice, and the rows of its speaker and its language."""

    voice: Voice
    speaker: int
    language: int


def resolve_voice(
    catalogue: Catalog,
    voice: str | None = None,
    model: str | None = None,
    speaker: str | None = None,
    language: str | None = None,
) -> ResolvedVoice:
    """Resolve what a client of OpenAI's endpoint sends.

    The first of these decides: a `voice` of ours; if it is absent, or a stock voice that is no alias here, a `model` that
    names a voice of ours; the language; the order of the configuration. Any other `model` is ignored. A voice may be named
    with its speaker, `voice#speaker`; the field `speaker` takes precedence. `Joe` is `joe` if that is unambiguous.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with the known names.
    """
    found = find_voice(catalogue, voice)
    if found is None and (not voice or voice in STOCK_VOICES):
        voice, found = None, find_voice(catalogue, model)
    own, own_speaker = found or (voice, None)
    return resolve_rows(catalogue, own, speaker or own_speaker, language)


def resolve_rows(catalogue: Catalog, voice: Voice | str | None, speaker: str | None, language: str | None) -> ResolvedVoice:
    """Resolve exact names; None and "" are the default. With a language alone, the first voice that speaks it.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with the known names.
    """
    try:
        found = voice if isinstance(voice, Voice) else catalogue.voice(voice, language)
        return ResolvedVoice(found, found.speaker_row(speaker), found.language_row(language))
    except UnknownVoiceError as error:
        raise UnknownVoiceRequestedError(str(error), "voice") from error
    except UnknownSpeakerError as error:
        raise UnknownSpeakerRequestedError(str(error), "speaker") from error
    except UnknownLanguageError as error:
        raise UnknownLanguageRequestedError(str(error), "language") from error


def find_voice(catalogue: Catalog, name: str | None) -> tuple[Voice, str | None] | None:
    """Return the voice that `voice` or `voice#speaker` names, and the name of its speaker; None if the voice is unknown."""
    whole = catalogue.find(name)
    if whole is not None:
        return whole, None
    first, mark, speaker = (name or "").partition(_SPEAKER)
    voice = catalogue.find(first) if mark else None
    return None if voice is None else (voice, speaker or None)


def format_voice(voice: str, speaker: str | None) -> str:
    """Return `voice#speaker`, which `find_voice` finds."""
    return voice if speaker is None else f"{voice}{_SPEAKER}{speaker}"
