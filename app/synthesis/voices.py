"""Which voice a client means, where it knows only the names of OpenAI's, or can name but one thing."""

from app.synthesis.request import Speaking, chosen
from loader.voices.catalog import Catalog

#: What OpenAI calls its own voices. Clients have these built in and cannot always name another.
STOCK_VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
#: And its models of speech.
STOCK_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_SPEAKER = "#"


def speaking(
    catalogue: Catalog, voice: str | None, model: str | None, speaker: str | None, language: str | None
) -> Speaking:
    """Return who is to speak.

    The first of these that says something decides: a `voice` of ours; where it is absent, or a stock
    voice that the configuration gives to none of ours, a `model` that names a voice of ours; the
    language; the configuration's order. Any other `model` says nothing. A voice may be named with
    its speaker, `voice#speaker`; a `speaker` of its own goes first. `Joe` is `joe` where no other voice
    could be meant.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with what there is.
    """
    name, its_speaker = divided(catalogue, _wanted(catalogue, voice, model))
    return chosen(catalogue, name, speaker or its_speaker, language)


def divided(catalogue: Catalog, name: str | None) -> tuple[str | None, str | None]:
    """Return voice and speaker of `voice#speaker`, or the whole name and None where that is none of ours."""
    voice, mark, speaker = (name or "").partition(_SPEAKER)
    whole = spelled(catalogue, name)
    if mark and whole is None and (ours := spelled(catalogue, voice)):
        return ours, speaker or None
    return whole or name, None


def with_speaker(voice: str, speaker: str | None) -> str:
    """Return the one name of a voice's speaker, or of a voice of one."""
    return voice if speaker is None else f"{voice}{_SPEAKER}{speaker}"


def is_ours(catalogue: Catalog, name: str | None) -> bool:
    """Whether a voice has this name or alias, by `spelled`."""
    return spelled(catalogue, name) is not None


def spelled(catalogue: Catalog, name: str | None) -> str | None:
    """Return a name or alias as the configuration spells it; None where it is no voice's.

    As it is, else in any case of its letters, where that is one voice alone.
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


def _wanted(catalogue: Catalog, voice: str | None, model: str | None) -> str | None:
    """Return the name that decides, of ours or of nobody's; None where none was named."""
    if voice and (voice not in STOCK_VOICES or is_ours(catalogue, voice)):
        return voice
    return model if is_ours(catalogue, divided(catalogue, model)[0]) else None
