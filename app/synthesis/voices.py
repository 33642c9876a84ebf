"""Resolve a voice: from the names that a client sends to a voice and the rows of its speaker and language.

Clients made for OpenAI know only OpenAI's voices, or can send only one name.
"""

from dataclasses import dataclass

from app.errors import UnknownLanguageRequestedError, UnknownSpeakerRequestedError, UnknownVoiceRequestedError
from loader.engines.base import Speaker
from loader.errors import SpeakerMixError, UnknownLanguageError, UnknownSpeakerError, UnknownVoiceError
from loader.voices.catalog import Catalog
from loader.voices.speakers import find_speaker, parse_mix
from loader.voices.voice import Voice

#: OpenAI's voices. Clients have these built in and cannot always name another.
STOCK_VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
#: OpenAI's models of speech.
STOCK_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
#: What clients send as a voice that have none to name: these, and OpenAI's models, with a date such as `tts-1-1106` too.
_UNNAMED = ("default", "auto")
_SPEAKER = "#"


@dataclass(frozen=True)
class ResolvedVoice:
    """A voice, and the rows of its speaker and its language."""

    voice: Voice
    speaker: Speaker
    language: int


def resolve_voice(
    catalogue: Catalog,
    voice: str | None = None,
    model: str | None = None,
    speaker: str | None = None,
    language: str | None = None,
) -> ResolvedVoice:
    """Resolve what a client of OpenAI's endpoint sends.

    The first of these decides: a `voice` of ours; if it is absent, or the name of a stock voice or model that is no alias
    here, a `model` that names a voice of ours; the language; the order of the configuration. Any other `model` is ignored. A
    voice may be named with its speaker, `voice#speaker`; the field `speaker` takes precedence. `Joe` is `joe` if that is
    unambiguous.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with the known names.
    """
    found = find_voice(catalogue, voice)
    if found is None and _means_default(voice):
        voice, found = None, find_voice(catalogue, model)
    own, own_speaker = found or (voice, None)
    return resolve_rows(catalogue, own, speaker or own_speaker, language)


def _means_default(voice: str | None) -> bool:
    name = (voice or "").strip().casefold()
    return not name or name in (*STOCK_VOICES, *_UNNAMED) or name.startswith(STOCK_MODELS)


def resolve_rows(catalogue: Catalog, voice: Voice | str | None, speaker: str | None, language: str | None) -> ResolvedVoice:
    """Resolve the names of our voices; None and "" are the default. With a language alone, the first voice that speaks it.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with the known names.
    """
    try:
        found = voice if isinstance(voice, Voice) else catalogue.voice(voice, language)
        return ResolvedVoice(found, found.speaker(speaker), found.language_row(language))
    except UnknownVoiceError as error:
        raise UnknownVoiceRequestedError(str(error), "voice") from error
    except (UnknownSpeakerError, SpeakerMixError) as error:
        raise UnknownSpeakerRequestedError(str(error), "speaker") from error
    except UnknownLanguageError as error:
        raise UnknownLanguageRequestedError(str(error), "language") from error


def find_voice(catalogue: Catalog, name: str | None) -> tuple[Voice, str | None] | None:
    """Return the voice that `voice` or `voice#speaker` names, and the name of its speaker; None if the voice is unknown.

    A mix of speakers without a voice, `a(2)+b(1)`, is that of the first voice that has them all.
    """
    whole = catalogue.find(name)
    if whole is not None:
        return whole, None
    first, mark, speaker = (name or "").partition(_SPEAKER)
    if not mark:
        return _find_mix(catalogue, first)
    voice = catalogue.find(first)
    return None if voice is None else (voice, speaker or None)


def _find_mix(catalogue: Catalog, name: str) -> tuple[Voice, str] | None:
    """Return the first voice that has all speakers of a mix, and the mix; None if `name` is none or there is no such voice."""
    mixed = parse_mix(name)
    if mixed is None:
        return None
    has_all = (each for each in catalogue.voices if all(find_speaker(name, each.speakers) is not None for name in mixed))
    return next(((voice, name) for voice in has_all), None)


def format_voice(voice: str, speaker: str | None) -> str:
    """Return `voice#speaker`, which `find_voice` finds."""
    return voice if speaker is None else f"{voice}{_SPEAKER}{speaker}"
