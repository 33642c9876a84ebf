"""A speech request in its domain form, every field checked, and the limits on what it may ask for.

The length of a text says little about that of its audio: espeak spells some letters out, so that 20,000 characters last for
hours, and two kilobytes may be 650 sentences with pauses of ten seconds.
"""

import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import (
    AnswerTooLargeError,
    AudioTooLongError,
    BadRequestError,
    InvalidLexiconError,
    SilenceTooLongError,
    TextTooLongError,
)
from loader.config.settings import Limits
from loader.errors import InlineLexiconError
from loader.text.lexicon.entries import Entry, parse_inline_lexicon
from loader.text.markup.script import Pause, Script
from loader.voices.speakers import format_speaker
from loader.voices.voice import SpeechOptions, Voice

MAX_SEED = 2**63 - 1
#: Of an error that lists the problems of a request.
MAX_MESSAGE_CHARACTERS = 2_000
_STREAM = "ask /v1/audio/speech for a stream (`stream: true`)"


@dataclass(frozen=True)
class SpeechRequest:
    """One request, every field within its bounds."""

    #: As sent, with its markup, without the characters that are no text.
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
    #: What the markup of the text asks for; None without markup.
    script: Script | None = None
    #: Factor of the samples, which are clipped to full scale.
    gain: float = 1.0

    @property
    def content(self) -> str | Script:
        """What the voice speaks."""
        return self.text if self.script is None else self.script

    @property
    def streamed(self) -> bool:
        """Whether audio is sent while the rest is made."""
        return self.options.soon

    @property
    def output_rate_hz(self) -> int:
        """The requested rate of the audio that is sent; formats that do not know it take another."""
        return self.sample_rate_hz or self.voice.sample_rate_hz

    @property
    def serial(self) -> int:
        """Serial number of an Ogg stream, 0 to 2**31 - 1: that of the same request is the same, that of another one differs."""
        return zlib.crc32(f"{self.options.seed} {self.voice.name} {self.text}".encode()) >> 1

    def facts(self) -> dict[str, Any]:
        """Return what was requested, for the log line and the trace; the text is never in it."""
        voice = self.voice
        speaker, language = voice.rows(self.options)
        return {
            "request_id": self.request_id, "voice": voice.name, "generation": voice.generation,
            "speaker": format_speaker(speaker, voice.speakers) if voice.speakers else None,
            "language": voice.languages[language] or None,
            "chars": len(self.text), "format": self.audio_format, "streamed": self.streamed,
        }  # fmt: skip


def require_text(text: str, limits: Limits, parameter: str) -> str:
    """Return `text` if it can be spoken.

    Raises:
        TextTooLongError: longer than `limits.text_characters`.
        BadRequestError: blank, or with surrogates or control characters that are not white space.
    """
    if len(text) > limits.text_characters:
        raise TextTooLongError(
            f"{parameter} is {len(text)} characters, limit {limits.text_characters}; send it in parts", parameter
        )
    require_characters(text, parameter)
    return text


def require_characters(text: str, parameter: str) -> None:
    """Check that a text, with its markup if it has some, is of characters that are text.

    Raises:
        BadRequestError: blank, or with control characters or surrogates.
    """
    if not text.strip():
        raise BadRequestError(f"{parameter} is blank; send the text to be spoken", parameter)
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and not character.isspace()):
            raise BadRequestError(
                f"{parameter} holds the character U+{ord(character):04X} at position {position}, "
                "which is not text; remove it",
                parameter,
            )


def resolve_lexicon(lexicon: Mapping[str, str], limits: Limits, parameter: str) -> tuple[Entry, ...]:
    """Return the entries of a request's lexicon; their symbols are checked when the voice speaks.

    Raises:
        InvalidLexiconError: lists the problems.
    """
    try:
        return tuple(parse_inline_lexicon(lexicon, limits.lexicon_entries))
    except InlineLexiconError as error:
        raise InvalidLexiconError(str(error)[:MAX_MESSAGE_CHARACTERS], parameter) from error


def require_silence(request: SpeechRequest, limits: Limits) -> None:
    """Check, before anything is made, that the pauses of markup and between sentences are together at most `limits.silence_s`.

    Raises:
        SilenceTooLongError: with the bound.
    """
    pause_s = request.voice.pause_s(request.options)
    items = () if request.script is None else request.script.items
    of_markup_s = sum(item.duration_s for item in items if isinstance(item, Pause))
    # No text has more sentences than half its characters, so that short ones need not be split.
    if of_markup_s + pause_s * len(request.text) / 2 <= limits.silence_s:
        return
    sentences = request.voice.count_sentences(request.content, request.options)
    silence_s = of_markup_s + pause_s * max(0, sentences - 1)
    if silence_s > limits.silence_s:
        pauses = f" and pauses of {of_markup_s:g} s in the markup" if of_markup_s else ""
        raise SilenceTooLongError(
            f"{sentences} sentences with pauses of {pause_s:g} s{pauses} are {silence_s:.0f} s of silence, "
            f"limit {limits.silence_s:g}; set shorter pauses, or send the text in parts",
            "input" if of_markup_s else "sentence_pause",
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
