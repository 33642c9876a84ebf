"""The pipeline of one request: checked text in, an audio response that has begun.

Knows no dialect: `app.api` turns each client's words into a SpeechRequest and a
SpeechRequest's failure into each client's error.
"""

import itertools
import logging
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from app.errors import (
    BadRequestError,
    SpeechFailedError,
    TextTooLongError,
    UnknownLanguageRequestedError,
    UnknownSpeakerRequestedError,
    UnknownVoiceRequestedError,
    UnspeakableError,
)
from app.logs import event
from loader.config import Limits
from loader.engines.base import Samples
from loader.errors import (
    LoaderError,
    SpeechError,
    SynthesisError,
    UnknownLanguageError,
    UnknownSpeakerError,
    UnknownVoiceError,
)
from loader.voice import Delivery, Voice, random_seed
from loader.voices import Catalogue

log = logging.getLogger("chorus.speech")

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
    """One request, every field within its bounds."""

    text: str
    speaking: Speaking
    #: `wav` or `pcm`.
    audio_format: str
    #: Send audio while the rest is still being made.
    streamed: bool
    speed: float
    seed: int
    request_id: str


@dataclass(frozen=True)
class Speech:
    """Speech under way: its first window exists, so the status line may be sent."""

    request: SpeechRequest
    #: All windows, the first one included. Closing it stops the work within one window.
    windows: Generator[Samples, None, None]


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


def chosen(catalogue: Catalogue, voice: str | None, speaker: str | None, language: str | None) -> Speaking:
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


def begin_speech(request: SpeechRequest, now: Callable[[], float] = time.monotonic) -> Speech:
    """Synthesise the first window, so that a failure is an error and never a 200.

    Raises:
        UnspeakableError: nothing in the text makes a sound.
        SpeechFailedError: the voice failed.
    """
    started_s = now()
    who = request.speaking
    delivery = Delivery(request.seed, request.speed, request.streamed, who.speaker, who.language)
    windows = who.voice.speak(request.text, delivery)
    try:
        first = next(windows)
    except SpeechError as error:
        raise UnspeakableError(str(error), "input") from error
    except SynthesisError as error:
        event(log, "speech.failed", logging.ERROR, request_id=request.request_id, reason=str(error))
        raise SpeechFailedError("the voice could not speak this text") from error
    return Speech(request, _observed(request, itertools.chain([first], windows), windows, started_s, now))


def _observed(
    request: SpeechRequest,
    windows: Iterator[Samples],
    source: Iterator[Samples],
    started_s: float,
    now: Callable[[], float],
) -> Generator[Samples, None, None]:
    """Pass `windows` on, and log how the speech ended: done, failed, or abandoned by its listener.

    Raises:
        SpeechFailedError: the voice failed after the first window. Of a stream the status line is
            gone by then, and the server cuts it without its last chunk.
    """
    samples, first_s, outcome, level = 0, now() - started_s, "speech.abandoned", logging.INFO
    try:
        for window in windows:
            samples += window.size
            yield window
        outcome = "speech.done"
    except LoaderError as error:
        outcome, level = "speech.failed", logging.ERROR
        raise SpeechFailedError("the voice could not speak this text to its end") from error
    finally:
        source.close()  # type: ignore[attr-defined]
        who, took_s = request.speaking, now() - started_s
        audio_s = samples / who.voice.sample_rate_hz
        event(
            log, outcome, level, request_id=request.request_id, voice=who.voice.name, generation=who.voice.generation,
            speaker=who.speaker, language=who.language, chars=len(request.text), format=request.audio_format,
            streamed=request.streamed, first_window_s=round(first_s, 4), audio_s=round(audio_s, 3),
            took_s=round(took_s, 4), rtf=round(took_s / audio_s, 4) if audio_s else None,
        )  # fmt: skip
