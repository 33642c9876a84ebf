"""Speech to an HTTP response: whole with exact sizes, or streamed as it is made."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing

from flask import Response

from app.errors import ClientGoneError
from app.memory import IdleHeap
from app.speech import Speech, SpeechRequest, begin_speech
from loader.wav import pcm16, wav_header

#: What this server can send, and what it calls it.
FORMATS = ("wav", "pcm")


def answer(request: SpeechRequest, heap: IdleHeap, has_left: Callable[[], bool]) -> Response:
    """Begin to speak and return the response that carries the speech to its end.

    Args:
        request: what to say.
        heap: told when the work begins and ends.
        has_left: whether the client waits no longer, asked between windows; a stream finds out by itself.

    Raises:
        ClientGoneError: the client left before all was spoken.
        ServiceError: nothing can be spoken; nothing has been sent.
    """
    heap.work_begins()
    try:
        response = _response(begin_speech(request), has_left)
    except BaseException:
        heap.work_ends()
        raise
    response.call_on_close(heap.work_ends)
    return response


def _response(speech: Speech, has_left: Callable[[], bool]) -> Response:
    request = speech.request
    if request.streamed:
        response = Response(_stream(speech))
        # nginx would otherwise hold the windows back until it has a buffer full.
        response.headers["X-Accel-Buffering"] = "no"
    else:
        pieces = _gathered(speech, has_left)
        pieces.extendleft(_header(speech, sum(map(len, pieces))))
        response = Response(_handed_over(pieces))
        response.headers["Content-Length"] = str(sum(map(len, pieces)))
    response.headers["Content-Type"] = _content_type(request.audio_format, request.speaking.voice.sample_rate_hz)
    response.headers["Content-Disposition"] = f'attachment; filename="speech.{request.audio_format}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Sample-Rate"] = str(request.speaking.voice.sample_rate_hz)
    response.headers["X-Seed"] = str(request.seed)
    return response


def _gathered(speech: Speech, has_left: Callable[[], bool]) -> deque[bytes]:
    """Return all windows, spoken to the end while somebody waits for them."""
    pieces: deque[bytes] = deque()
    with closing(speech.windows):
        for window in speech.windows:
            pieces.append(pcm16(window))
            if has_left():
                raise ClientGoneError("the client left")
    return pieces


def _stream(speech: Speech) -> Iterator[bytes]:
    yield from _header(speech, None)
    for window in speech.windows:
        yield pcm16(window)


def _handed_over(pieces: deque[bytes]) -> Iterator[bytes]:
    """Yield the pieces and keep none, so that all are free when free memory is given back.

    Joined into one, five minutes of speech would also leave a hole of 13 MB in the heap.
    """
    while pieces:
        yield pieces.popleft()


def _header(speech: Speech, data_bytes: int | None) -> list[bytes]:
    """Return the one piece before the samples, or none for bare PCM: an empty one would end a chunked answer."""
    if speech.request.audio_format == "pcm":
        return []
    return [wav_header(speech.request.speaking.voice.sample_rate_hz, data_bytes)]


def _content_type(audio_format: str, sample_rate_hz: int) -> str:
    return "audio/wav" if audio_format == "wav" else f"audio/pcm;rate={sample_rate_hz};channels=1"
