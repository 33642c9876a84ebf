"""Which audio formats there are, and an encoder for each. Heavy libraries are imported by whoever first needs them."""

from app.codecs.base import Encoder
from app.codecs.formats import FORMS
from app.codecs.pcm import PlainEncoder

#: What this server can send.
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")

_PLAIN = ("wav", "pcm")
_CONTENT_TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}


def content_type(audio_format: str, sample_rate_hz: int) -> str:
    """Return what an answer in `audio_format` is called; bare PCM says its rate."""
    return _CONTENT_TYPES.get(audio_format, f"audio/pcm;rate={sample_rate_hz};channels=1")


def delay_s(audio_format: str, voice_rate_hz: int, sample_rate_hz: int, streamed: bool) -> float:
    """Return how much silence players of that format play before the first sample (see `Encoder.delay_samples`)."""
    form = FORMS.get(audio_format)
    if form is None:
        return 0.0
    return form.delay_samples[streamed] / (form.played_rate_hz or form.input_rate_hz(voice_rate_hz, sample_rate_hz))


def open_encoder(audio_format: str, voice_rate_hz: int, sample_rate_hz: int, streamed: bool) -> Encoder:
    """Return an encoder of mono speech, to be closed in any case.

    Args:
        audio_format: one of `FORMATS`.
        voice_rate_hz: of the samples it will be given.
        sample_rate_hz: of the audio, 8000 to 48000. MP3 and AAC, which know a few rates only, take the next one above;
            Opus is always 48000.
        streamed: bytes come as early as the format allows, and its head first, which cannot say how long the speech
            is. Otherwise the head is known last.
    """
    encoder = _plain(audio_format, sample_rate_hz, streamed)
    if encoder is None:
        encoder = _compressed(audio_format, voice_rate_hz, sample_rate_hz, streamed)
    if encoder.input_rate_hz == voice_rate_hz:
        return encoder
    from app.codecs.resample import Resampled

    return Resampled(encoder, voice_rate_hz)


def _plain(audio_format: str, sample_rate_hz: int, streamed: bool) -> Encoder | None:
    if audio_format not in _PLAIN:
        return None
    return PlainEncoder(audio_format == "wav", sample_rate_hz, streamed)


def _compressed(audio_format: str, voice_rate_hz: int, sample_rate_hz: int, streamed: bool) -> Encoder:
    from app.codecs.ffmpeg import CompressedEncoder

    form = FORMS[audio_format]
    return CompressedEncoder(form, form.input_rate_hz(voice_rate_hz, sample_rate_hz), streamed)
