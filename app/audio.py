"""Speech to an HTTP response: whole with exact sizes, streamed as it is made, or as server-sent events."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

from flask import Response

from app.encoders.base import Encoder
from app.encoding import content_type, open_encoder
from app.events import events
from app.length import require_length
from app.listener import Listener
from app.service import Service
from app.speech import Speech, begin_speech
from app.speech_request import SpeechRequest


def answer(request: SpeechRequest, service: Service, listener: Listener) -> Response:
    """Wait for a turn, begin to speak, and return the response that carries the speech to its end.

    Args:
        request: what to say.
        service: who lets it in, whose hands do it, and where it is parked when its client is slow.
        listener: who asked; looked after between windows, but for a stream, which finds out by itself.

    Raises:
        ClientGoneError: the client left before all was spoken.
        ServiceError: nothing can be spoken, or not in time; nothing has been sent.
    """
    with ExitStack() as work:
        work.callback(service.watchdog.synthesised, request.speaking.voice.name)
        turn = work.enter_context(service.admission.turn(listener))
        delivery = work.enter_context(service.parking.delivery(request.request_id, turn, listener.connection))
        speech = begin_speech(request, service.hands, listener.since_s)
        rate_hz = request.speaking.voice.sample_rate_hz
        response = _response(replace(speech, stretches=delivery.paced(speech.stretches, rate_hz)), service, listener)
        if not request.streamed:
            delivery.is_made(int(response.headers["Content-Length"]))
        response.call_on_close(work.pop_all().close)
    return response


def _response(speech: Speech, service: Service, listener: Listener) -> Response:
    request, voice = speech.request, speech.request.speaking.voice
    try:
        encoder = open_encoder(request.audio_format, voice.sample_rate_hz, request.wanted_rate_hz, request.streamed)
    except BaseException:
        speech.stretches.close()
        raise
    response = _streamed(speech, encoder) if request.streamed else _whole(speech, encoder, service, listener)
    if not request.as_events:
        response.content_type = content_type(request.audio_format, encoder.sample_rate_hz)
        response.headers["Content-Disposition"] = f'attachment; filename="speech.{request.audio_format}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Sample-Rate"] = str(encoder.sample_rate_hz)
    response.headers["X-Seed"] = str(request.seed)
    return response


def _streamed(speech: Speech, encoder: Encoder) -> Response:
    if speech.request.as_events:
        response = Response(events(speech, encoder), content_type="text/event-stream; charset=utf-8")
    else:
        response = Response(_stream(speech, encoder))
    # nginx would otherwise hold the windows back until it has a buffer full.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _whole(speech: Speech, encoder: Encoder, service: Service, listener: Listener) -> Response:
    pieces = _gathered(speech, encoder, service, listener)
    response = Response(_handed_over(pieces))
    response.headers["Content-Length"] = str(sum(map(len, pieces)))
    return response


def _gathered(speech: Speech, encoder: Encoder, service: Service, listener: Listener) -> deque[bytes]:
    """Return the whole file, spoken to the end while somebody waits for it."""
    pieces: deque[bytes] = deque()
    with closing(encoder), closing(speech.stretches):
        for stretch in speech.stretches:
            if stretch.begins is not None:
                require_length(stretch.begins.end_samples, speech.request, service.settings.limits)
            pieces.append(encoder.encode(stretch.samples))
            listener.raise_if_gone()
        pieces.append(encoder.finish())
        pieces.appendleft(encoder.head())
    return pieces


def _stream(speech: Speech, encoder: Encoder) -> Iterator[bytes]:
    with closing(encoder), closing(speech.stretches):
        for stretch in speech.stretches:
            # An empty piece would end a chunked answer.
            if data := encoder.encode(stretch.samples):
                yield data
        if data := encoder.finish():
            yield data


def _handed_over(pieces: deque[bytes]) -> Iterator[bytes]:
    """Yield the pieces and keep none, so that all are free when free memory is given back.

    Joined into one, five minutes of speech would also leave a hole of 13 MB in the heap.
    """
    while pieces:
        if piece := pieces.popleft():
            yield piece
