"""A speech request in its domain form, every field checked, and the limits on what it may ask for.

The length of a text says little about that of its audio: espeak spells some letters out, so that 20,000 characters last for
hours, and two kilobytes may be 650 sentences with pauses of ten seconds.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any

from app.errors import AnswerTooLargeError, AudioTooLongError, BadRequestError, SilenceTooLongError, TextTooLongError
from loader.config.settings import Limits
from loader.voices.voice import SpeechOptions, Voice

MAX_SEED = 2**63 - 1
_SPACES = "\t\n\r"
_STREAM = "ask /v1/audio/speech for a stream (`stream: true`)"


@dataclass(frozen=True)
class SpeechRequest:
    """One request, every field within its bounds."""

    text: str
    voice: Voice
    #: How the voice speaks it, with the rows of its speaker and language.
    options: SpeechOptions
    #: One of `codecs.registry.FORMATS`.
    audio_format: str
    request_id: str
    #: Of the audio that is sent; None for the voice's own rate.
    sample_rate_hz: int | None = None
    #: Send server-sent events, with the timestamps of these: `sentence`, `word`, `phoneme`.
    as_events: bool = False
    timestamps: tuple[str, ...] = ()

    @property
    def streamed(self) -> bool:
        """Whether audio is sent while the rest is made."""
        return self.options.soon

    @property
    def output_rate_hz(self) -> int:
        """The requested rate of the audio that is sent; formats that do not know it take another."""
        return self.sample_rate_hz or self.voice.sample_rate_hz

    def facts(self) -> dict[str, Any]:
        """Return what was requested, for the log line and the trace; the text is never in it."""
        voice = self.voice
        speaker, language = voice.rows(self.options)
        return {
            "request_id": self.request_id, "voice": voice.name, "generation": voice.generation,
            "speaker": voice.speakers[speaker] if voice.speakers else None, "language": voice.languages[language] or None,
            "chars": len(self.text), "format": self.audio_format, "streamed": self.streamed,
        }  # fmt: skip


def require_text(text: str, limits: Limits, parameter: str) -> str:
    """Return `text` if it can be spoken.

    Raises:
        TextTooLongError: longer than `limits.text_characters`.
        BadRequestError: blank, or with control characters or surrogates.
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


def require_silence(request: SpeechRequest, limits: Limits) -> None:
    """Check, before anything is made, that the pauses between sentences are together at most `limits.silence_s`.

    Raises:
        SilenceTooLongError: with the bound.
    """
    pause_s = request.voice.pause_s(request.options)
    # No text has more sentences than half its characters, so that short ones need not be split.
    if pause_s * len(request.text) / 2 <= limits.silence_s:
        return
    sentences = request.voice.count_sentences(request.text, request.options)
    if pause_s * (sentences - 1) > limits.silence_s:
        raise SilenceTooLongError(
            f"{sentences} sentences with pauses of {pause_s:g} s are {pause_s * (sentences - 1):.0f} s of silence, "
            f"limit {limits.silence_s:g}; set a shorter pause, or send the text in parts",
            "sentence_pause",
        )


def require_length(audio_s: float, limits: Limits) -> None:
    """Check that an answer which is made as a whole has at most `limits.audio_s` of audio.

    Args:
        audio_s: seconds of audio to the end of an utterance, known before it is made.
        limits: the configured ones.

    Raises:
        AudioTooLongError: with the bound.
    """
    if audio_s > limits.audio_s:
        raise AudioTooLongError(
            f"the audio is longer than {limits.audio_s:g} s, the limit of a whole answer; send the text in parts, or {_STREAM}",
            "input",
        )


def require_size(size_bytes: int, limits: Limits) -> None:
    """Check that a whole answer has at most `limits.answer_bytes`.

    Raises:
        AnswerTooLargeError: with the bound.
    """
    if size_bytes > limits.answer_bytes:
        raise AnswerTooLargeError(
            f"the audio has more than {limits.answer_bytes} bytes, the limit of a whole answer; "
            f"{_STREAM}, choose mp3 or opus, or send the text in parts",
            "input",
        )
