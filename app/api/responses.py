"""Speech to an HTTP response: whole with exact sizes, streamed as it is made, or as server-sent events."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

from flask import Response

from app.api.spool import Spool
from app.api.sse import events
from app.codecs.base import Encoder
from app.codecs.registry import content_type, open_encoder
from app.context import Service
from app.errors import ServiceError, StreamCutError
from app.scheduling.deadline import Listener
from app.synthesis.bounds import require_length, require_size
from app.synthesis.job import Speech, begin_speech
from app.synthesis.request import SpeechRequest


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
        speech = begin_speech(request, service.hands, listener, service.settings.limits)
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
    with ExitStack() as unsent:
        spool = unsent.enter_context(closing(Spool()))
        head = _gathered(speech, encoder, spool, service, listener)
        response = Response(spool.read_out(head))
        response.headers["Content-Length"] = str(len(head) + spool.size_bytes)
        response.call_on_close(unsent.pop_all().close)
    return response


def _gathered(speech: Speech, encoder: Encoder, spool: Spool, service: Service, listener: Listener) -> bytes:
    """Write the whole file to `spool`, spoken to the end while its client waits for it; return what belongs before that."""
    limits = service.settings.limits
    with closing(encoder), closing(speech.stretches):
        for stretch in speech.stretches:
            if stretch.begins is not None:
                require_length(stretch.begins.end_samples, speech.request, limits)
            spool.write(encoder.encode(stretch.samples))
            require_size(spool.size_bytes, limits)
            listener.raise_if_gone()
        spool.write(encoder.finish())
        require_size(spool.size_bytes, limits)
        spool.finish()
        return encoder.head()


def _stream(speech: Speech, encoder: Encoder) -> Iterator[bytes]:
    """Yield a stream as it is made.

    Raises:
        StreamCutError: it could not be made to its end; its client sees that the last chunk is missing.
    """
    with closing(encoder), closing(speech.stretches):
        try:
            for stretch in speech.stretches:
                # An empty piece would end a chunked answer.
                if data := encoder.encode(stretch.samples):
                    yield data
            if data := encoder.finish():
                yield data
        except ServiceError as error:
            raise StreamCutError(error.message) from error
