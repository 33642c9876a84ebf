"""How much a request may ask for: seconds of audio, bytes of a whole answer, seconds of silence.

Its text says little: espeak spells some letters out, and 20,000 characters of them last for hours; a text of two
kilobytes is 650 sentences, and with pauses of ten seconds as many megabytes of nothing.
"""

from app.errors import AnswerTooLargeError, AudioTooLongError, SilenceTooLongError
from app.synthesis.request import SpeechRequest
from loader.config.settings import Limits

_STREAM = "ask /v1/audio/speech for a stream of it (`stream: true`)"


def require_length(samples: int, request: SpeechRequest, limits: Limits) -> None:
    """Refuse audio that is known to be too long for a whole answer.

    Args:
        samples: from the first one to the end of an utterance, at the voice's rate; known before it is made audible.
        request: what is made.
        limits: how long it may be.

    Raises:
        AudioTooLongError: with the bound.
    """
    if samples > limits.audio_s * request.speaking.voice.sample_rate_hz:
        raise AudioTooLongError(
            f"the audio is longer than {limits.audio_s:g} s, the limit of what is made as a whole; "
            f"send the text in parts, or {_STREAM}",
            "input",
        )


def require_size(size_bytes: int, limits: Limits) -> None:
    """Refuse a whole answer of more than `limits.answer_bytes`.

    Raises:
        AnswerTooLargeError: with the bound.
    """
    if size_bytes > limits.answer_bytes:
        raise AnswerTooLargeError(
            f"the audio has more than {limits.answer_bytes} bytes, the limit of a whole answer; "
            f"{_STREAM}, choose mp3 or opus, or send the text in parts",
            "input",
        )


def require_silence(request: SpeechRequest, limits: Limits) -> None:
    """Refuse pauses between sentences that are together longer than `limits.silence_s`, before anything is made.

    Raises:
        SilenceTooLongError: with the bound.
    """
    pause_s = request.speaking.voice.pause_s(request.delivery)
    # No text has more sentences than half its characters, so short ones need not be split for this.
    if pause_s * len(request.text) / 2 <= limits.silence_s:
        return
    sentences = request.speaking.voice.count_sentences(request.text, request.delivery)
    if pause_s * (sentences - 1) > limits.silence_s:
        raise SilenceTooLongError(
            f"{sentences} sentences with pauses of {pause_s:g} s are {pause_s * (sentences - 1):.0f} s of silence, "
            f"limit {limits.silence_s:g}; set a shorter pause, or send the text in parts",
            "sentence_pause",
        )
