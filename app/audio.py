"""Speech to an HTTP response: whole with exact sizes, or streamed as it is made."""

from collections.abc import Iterator

from flask import Response

from app.memory import return_free_memory
from app.speech import Speech
from loader.wav import pcm16, wav_file, wav_header

#: What this server can send, and what it calls it.
FORMATS = ("wav", "pcm")


def audio_response(speech: Speech) -> Response:
    """Return the response that carries `speech` to its end."""
    request = speech.request
    if request.streamed:
        response = Response(_stream(speech), direct_passthrough=True)
        # nginx would otherwise hold the windows back until it has a buffer full.
        response.headers["X-Accel-Buffering"] = "no"
    else:
        response = Response(_whole(speech))
    response.headers["Content-Type"] = _content_type(request.audio_format, request.voice.sample_rate_hz)
    response.headers["Content-Disposition"] = f'attachment; filename="speech.{request.audio_format}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Sample-Rate"] = str(request.voice.sample_rate_hz)
    response.headers["X-Seed"] = str(request.seed)
    # After the last byte, so that no listener waits for it.
    response.call_on_close(return_free_memory)
    return response


def _whole(speech: Speech) -> bytes:
    if speech.request.audio_format == "wav":
        return wav_file(speech.windows, speech.request.voice.sample_rate_hz)
    return b"".join(pcm16(window) for window in speech.windows)


def _stream(speech: Speech) -> Iterator[bytes]:
    if speech.request.audio_format == "wav":
        yield wav_header(speech.request.voice.sample_rate_hz, None)
    for window in speech.windows:
        yield pcm16(window)


def _content_type(audio_format: str, sample_rate_hz: int) -> str:
    return "audio/wav" if audio_format == "wav" else f"audio/pcm;rate={sample_rate_hz};channels=1"
