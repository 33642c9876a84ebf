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
    name = voice
    if not name or (name in STOCK_VOICES and not is_known(catalogue, name)):
        name = model if is_known(catalogue, split_voice(catalogue, model)[0]) else None
    name, own_speaker = split_voice(catalogue, name)
    return resolve_rows(catalogue, name, speaker or own_speaker, language)


def resolve_rows(catalogue: Catalog, voice: str | None, speaker: str | None, language: str | None) -> ResolvedVoice:
    """Resolve exact names; None and "" are the default. With a language alone, the first voice that speaks it.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with the known names.
    """
    try:
        found = catalogue.voice(voice, language)
        return ResolvedVoice(found, found.speaker_row(speaker), found.language_row(language))
    except UnknownVoiceError as error:
        raise UnknownVoiceRequestedError(str(error), "voice") from error
    except UnknownSpeakerError as error:
        raise UnknownSpeakerRequestedError(str(error), "speaker") from error
    except UnknownLanguageError as error:
        raise UnknownLanguageRequestedError(str(error), "language") from error


def split_voice(catalogue: Catalog, name: str | None) -> tuple[str | None, str | None]:
    """Split `voice#speaker`; return the whole name and None if its voice is unknown."""
    voice, mark, speaker = (name or "").partition(_SPEAKER)
    whole = resolve_name(catalogue, name)
    if mark and whole is None and (known := resolve_name(catalogue, voice)):
        return known, speaker or None
    return whole or name, None


def format_voice(voice: str, speaker: str | None) -> str:
    """Return `voice#speaker`, the inverse of `split_voice`."""
    return voice if speaker is None else f"{voice}{_SPEAKER}{speaker}"


def is_known(catalogue: Catalog, name: str | None) -> bool:
    """Whether a voice has this name or alias, see `resolve_name`."""
    return resolve_name(catalogue, name) is not None


def resolve_name(catalogue: Catalog, name: str | None) -> str | None:
    """Return a name or alias as the configuration spells it; None if it is unknown.

    An exact match takes precedence; else letter case is ignored, if that leaves one voice.
    """
    if not name:
        return None
    alike: dict[str, str] = {}
    for voice in catalogue.voices:
        names = (voice.name, *voice.settings.aliases)
        if name in names:
            return name
        alike.update((voice.name, each) for each in names if each.casefold() == name.casefold())
    return next(iter(alike.values())) if len(alike) == 1 else None
