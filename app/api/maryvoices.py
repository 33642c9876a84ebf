"""Voices and languages as MaryTTS names them: no spaces, `voice#speaker`, `en_US`."""

from app.api.validation import refuse_path
from app.synthesis.request import Speaking
from app.synthesis.voices import spelled, with_speaker
from loader.voices.catalog import Catalog
from loader.voices.voice import Voice

_UNKNOWN = "und"


def speaking(catalogue: Catalog, name: str, locale: str) -> Speaking:
    """Return who is to speak; never refuses a name, since Home Assistant asks for `cmu-slt-hsmm` unless told otherwise.

    A name may be a voice's, a voice's with its speaker, or a speaker's, as they are or as they are
    listed. Where it is none of these, the first voice that speaks `locale` does, else the default one.

    Raises:
        BadRequestError: the name looks like a path.
    """
    found = _named(catalogue, name)
    if found is None:
        refuse_path(name, (), "VOICE")
        found = (_speaker_of(catalogue, locale), None)
    return Speaking(*found, _language(found[0], locale))


def lines(catalogue: Catalog) -> list[str]:
    """Return one line for everybody who can speak: name, locale, gender (nobody knows it) and kind, of MaryTTS's words."""
    return [
        f"{_listed(with_speaker(voice.name, speaker))} {_locale(voice.language)} u other"
        for voice in catalogue.voices
        for speaker in (voice.speakers if len(voice.speakers) > 1 else (None,))
    ]


def locales(catalogue: Catalog) -> list[str]:
    """Return every language once, in the order of the voices."""
    return list(dict.fromkeys(_locale(language) for voice in catalogue.voices for language in voice.languages))


def _named(catalogue: Catalog, name: str) -> tuple[Voice, str | None] | None:
    if ours := spelled(catalogue, name):
        return catalogue.voice(ours), None
    for voice in catalogue.voices:
        if name == _listed(voice.name):
            return voice, None
        for speaker in voice.speakers:
            whole = with_speaker(voice.name, speaker)
            if name in (whole, _listed(whole), speaker, _listed(speaker)):
                return voice, speaker
    return None


def _speaker_of(catalogue: Catalog, locale: str) -> Voice:
    return next((voice for voice in catalogue.voices if _language(voice, locale)), catalogue.default)


def _language(voice: Voice, locale: str) -> str | None:
    """Return how `voice` calls the language of `locale`, with or without the region; None where it does not speak it."""
    whole = locale.replace("_", "-")
    return next((each for each in (whole, whole.partition("-")[0]) if each and voice.speaks(each)), None)


def _listed(name: str) -> str:
    return "_".join(name.split())


def _locale(language: str) -> str:
    """Return `en_US` for `en-us`."""
    tongue, _, region = language.partition("-")
    return f"{tongue}_{region.upper()}" if region else tongue or _UNKNOWN
