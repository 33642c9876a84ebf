"""What a request asks to be spoken, every field checked. Knows no dialect: `app.api` turns each client's words into one."""

import unicodedata
from dataclasses import dataclass

from app.errors import (
    BadRequestError,
    TextTooLongError,
    UnknownLanguageRequestedError,
    UnknownSpeakerRequestedError,
    UnknownVoiceRequestedError,
)
from loader.config.settings import Limits
from loader.errors import UnknownLanguageError, UnknownSpeakerError, UnknownVoiceError
from loader.voices.catalog import Catalog
from loader.voices.voice import Delivery, Voice, random_seed

MOST_SEED = 2**63 - 1
_SPACES = "\t\n\r"


@dataclass(frozen=True)
class Speaking:
    """Who speaks a request, all of it known to be there."""

    voice: Voice
    #: None is the voice's default.
    speaker: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class SpeechRequest:
    """One request, every field within its bounds; None is as the voice is configured."""

    text: str
    speaking: Speaking
    #: One of `encoding.FORMATS`.
    audio_format: str
    #: Send audio while the rest is still being made.
    streamed: bool
    speed: float
    seed: int
    request_id: str
    #: Of the audio that is sent; None for the voice's own rate.
    sample_rate_hz: int | None = None
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    sentence_pause_s: float | None = None
    #: Send server-sent events, with the times of these: `sentence`, `word`, `phoneme`.
    as_events: bool = False
    timestamps: tuple[str, ...] = ()

    @property
    def wanted_rate_hz(self) -> int:
        """The rate of the audio that is sent, as far as its format allows."""
        return self.sample_rate_hz or self.speaking.voice.sample_rate_hz

    @property
    def delivery(self) -> Delivery:
        """How the voice is to speak it."""
        who = self.speaking
        return Delivery(
            self.seed, self.speed, self.streamed, who.speaker, who.language,
            self.noise_scale, self.noise_scale_duration, self.sentence_pause_s,
        )  # fmt: skip


def checked_text(text: str, limits: Limits, parameter: str) -> str:
    """Return `text`, or say what is wrong with it.

    Raises:
        TextTooLongError: longer than the configured limit.
        BadRequestError: blank, or with characters no text has.
    """
    if len(text) > limits.text_characters:
        raise TextTooLongError(
            f"{parameter} is {len(text)} characters, limit {limits.text_characters}; send it in parts", parameter
        )
    if not text.strip():
        raise BadRequestError(f"{parameter} is blank; send the text to be spoken", parameter)
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in _SPACES):
            raise BadRequestError(
                f"{parameter} holds the character U+{ord(character):04X} at position {position}, "
                "which is not text; remove it",
                parameter,
            )
    return text


def chosen(catalogue: Catalog, voice: str | None, speaker: str | None, language: str | None) -> Speaking:
    """Return who is to speak: what a client named, the default where it named nothing.

    Where only a language is named, the first voice that speaks it does.

    Raises:
        UnknownVoiceRequestedError, UnknownSpeakerRequestedError, UnknownLanguageRequestedError: with what there is.
    """
    try:
        found = catalogue.voice(voice, language)
        found.speaker_row(speaker)
        found.language_row(language)
    except UnknownVoiceError as error:
        raise UnknownVoiceRequestedError(str(error), "voice") from error
    except UnknownSpeakerError as error:
        raise UnknownSpeakerRequestedError(str(error), "speaker") from error
    except UnknownLanguageError as error:
        raise UnknownLanguageRequestedError(str(error), "language") from error
    return Speaking(found, speaker, language)


def chosen_seed(seed: int | None) -> int:
    """Return the client's seed, or one that no other worker draws."""
    return random_seed() if seed is None else seed
