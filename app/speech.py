"""The pipeline of one request: checked text in, an audio response that has begun.

Knows no dialect: `app.api` turns each client's words into a SpeechRequest and a
SpeechRequest's failure into each client's error.
"""

import itertools
import logging
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from app.errors import (
    BadRequestError,
    ClientGoneError,
    SpeechFailedError,
    TextTooLongError,
    UnknownLanguageRequestedError,
    UnknownSpeakerRequestedError,
    UnknownVoiceRequestedError,
    UnspeakableError,
)
from app.logs import event
from app.scoreboard import Hands
from loader.ahead import MOST_HANDS
from loader.config import Limits
from loader.errors import (
    SpeechError,
    SynthesisError,
    UnknownLanguageError,
    UnknownSpeakerError,
    UnknownVoiceError,
)
from loader.passages import Stretch, measured
from loader.timing import Timing
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


@dataclass(frozen=True)
class Speech:
    """Speech under way: its first window exists, so the status line may be sent."""

    request: SpeechRequest
    #: All of it, the first window included. Closing it stops the work within one window.
    stretches: Generator[Stretch, None, None]


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


def begin_speech(request: SpeechRequest, hands: Hands, now: Callable[[], float] = time.monotonic) -> Speech:
    """Synthesise the first window, so that a failure is an error and never a 200.

    Args:
        request: what to say.
        hands: this process's; says how many threads may work on it.
        now: a clock, in seconds.

    Raises:
        UnspeakableError: nothing in the text makes a sound.
        SpeechFailedError: the voice failed.
    """
    started_s = now()
    spoken = request.speaking.voice.stretches(request.text, request.delivery, hands.allowed, MOST_HANDS)
    source = _counted(spoken, hands)
    with answered(request):
        first = next(source)
    return Speech(request, _observed(request, first, source, started_s, now))


def measured_speech(request: SpeechRequest, hands: Hands, has_left: Callable[[], bool]) -> list[Timing]:
    """Return when each utterance of a request is heard, without making it audible where the voice knows before.

    Raises:
        ClientGoneError: the client left before all was measured.
        UnspeakableError: nothing in the text makes a sound.
        SpeechFailedError: the voice failed.
    """
    voice, timings = request.speaking.voice, []
    with answered(request), hands.speaking():
        for placed in measured(voice.passages(request.text, request.delivery)):
            timings.append(voice.timing(placed))
            if has_left():
                raise ClientGoneError("the client left")
    audio_s = timings[-1].end_samples / voice.sample_rate_hz
    event(
        log, "captions.done", request_id=request.request_id, voice=voice.name, chars=len(request.text), audio_s=round(audio_s, 3)
    )  # fmt: skip
    return timings


@contextmanager
def answered(request: SpeechRequest) -> Iterator[None]:
    """Turn what a voice refuses or fails over before anything is sent into what the client is told."""
    try:
        yield
    except SpeechError as error:
        raise UnspeakableError(str(error), "input") from error
    except SynthesisError as error:
        event(log, "speech.failed", logging.ERROR, request_id=request.request_id, reason=str(error))
        raise SpeechFailedError("the voice could not speak this text") from error


def _counted(source: Generator[Stretch, None, None], hands: Hands) -> Generator[Stretch, None, None]:
    """Pass on what is spoken; counts as speaking while it is waited for, and not while a slow client takes it."""
    with closing(source):
        while True:
            with hands.speaking():
                stretch = next(source, None)
            if stretch is None:
                return
            yield stretch


def _observed(
    request: SpeechRequest, first: Stretch, rest: Generator[Stretch, None, None], started_s: float, now: Callable[[], float]
) -> Generator[Stretch, None, None]:
    """Pass all of it on, and log how the speech ended: done, failed, or abandoned by its listener.

    Raises:
        SpeechFailedError: the voice failed after the first window. Of a stream the status line is
            gone by then, and the server cuts it without its last chunk.
    """
    samples, first_s, outcome, level, reason = 0, now() - started_s, "speech.abandoned", logging.INFO, None
    try:
        for stretch in itertools.chain([first], rest):
            samples += stretch.samples.size
            yield stretch
        outcome = "speech.done"
    except Exception as error:  # engines and allocators fail in many ways; whoever listens must be told of each
        outcome, level, reason = "speech.failed", logging.ERROR, f"{type(error).__name__}: {error}"[:300]
        raise SpeechFailedError("the voice could not speak this text to its end") from error
    finally:
        rest.close()
        who, took_s = request.speaking, now() - started_s
        audio_s = samples / who.voice.sample_rate_hz
        event(
            log, outcome, level, request_id=request.request_id, voice=who.voice.name, generation=who.voice.generation,
            speaker=who.speaker, language=who.language, chars=len(request.text), format=request.audio_format,
            streamed=request.streamed, first_window_s=round(first_s, 4), audio_s=round(audio_s, 3),
            took_s=round(took_s, 4), rtf=round(took_s / audio_s, 4) if audio_s else None,
            **({"reason": reason} if reason else {}),
        )  # fmt: skip
