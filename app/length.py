"""How long the audio of a request may be that is made as a whole before any of it is sent.

Its text says little: espeak spells some letters out, and 20,000 characters of them last for hours.
"""

from app.errors import AudioTooLongError
from app.speech_request import SpeechRequest
from loader.config import Limits


def require_length(samples: int, request: SpeechRequest, limits: Limits) -> None:
    """Say where what is known of the audio is too much already.

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
            "send the text in parts, or ask /v1/audio/speech for a stream of it",
            "input",
        )
