"""How much speech a WAV file holds."""

import io
import wave

#: What Coqui appends to every sentence: zero samples of 16 bits.
_COQUI_PADDING = bytes(2 * 10_000)


def speech_s(wav: bytes) -> float:
    """Return the seconds of audio in `wav`."""
    return _seconds(wav, padded_samples=0)


def coqui_speech_s(wav: bytes) -> float:
    """Return the seconds of audio in `wav` without the 10,000 zero samples that follow each sentence."""
    return _seconds(wav, padded_samples=10_000 * wav.count(_COQUI_PADDING))


def _seconds(wav: bytes, padded_samples: int) -> float:
    with wave.open(io.BytesIO(wav)) as audio:
        return float((audio.getnframes() - padded_samples) / audio.getframerate())
