"""Responses: the headers of every answer, and audio whole with exact sizes, streamed while it is made, or as events."""

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

from flask import Response, current_app, g
from flask import request as http_request

from app.api.conditional import Tag, is_of_a_url, resolve_range, set_range, tag_of, with_fixed_seed
from app.api.sse import stream_events
from app.codecs.registry import Encoder, content_type, open_encoder
from app.context import Context
from app.errors import NoRoomError, ServiceError, StreamCutError
from app.logs import event
from app.scheduling.deadline import client_of
from app.scheduling.slow_clients import Delivery
from app.synthesis.job import JOB_KEY, SynthesisJob
from app.synthesis.request import SpeechRequest, require_size
from loader.config.settings import Limits

if TYPE_CHECKING:
    from loader.voices.explanation import ExplainedSentence

log = logging.getLogger("chorus.http")

#: A whole answer is kept in memory up to this size: 24 s of speech as WAV at 22.05 kHz.
SPOOL_MEMORY_BYTES = 1024 * 1024
#: Answers that are being sent free disk space by then.
RETRY_AFTER_S = 30
_PIECE_BYTES = 64 * 1024
#: A field name that may be repeated in a header.
_FIELD = re.compile(r"[\w.-]{1,40}", re.ASCII)
_NOT_OF_A_NAME = re.compile(r"[^\w.: -]", re.ASCII)


def set_common_headers(response: Response) -> Response:
    """Set the headers of every answer: the request id, and what of the request had no effect, such as misspelt fields."""
    response.headers["X-Request-ID"] = g.request_id
    names = [name for name in g.get("ignored_fields", ()) if _FIELD.fullmatch(name)]
    if names:
        response.headers["X-Ignored-Fields"] = ", ".join(names[:20])
    if dropped := g.get("dropped_characters"):
        response.headers["X-Dropped-Characters"] = ", ".join(dropped)
    return response


def set_speech_headers(response: Response, request: SpeechRequest, is_silent: bool) -> None:
    """Set the headers of every answer with a speech or its captions."""
    if is_silent:
        response.headers["X-Unspeakable"] = "the text has no sound"
    set_text_headers(response, request)
    response.headers["X-Seed"] = str(request.options.seed)


def set_text_headers(response: Response, request: SpeechRequest) -> None:
    """Set the headers of every answer about a text."""
    response.headers["Cache-Control"] = "no-cache"
    voice = request.voice
    response.headers["X-Revision"] = current_revision()
    response.headers["X-Release"] = voice.release
    if voice.version.isprintable() and voice.version.isascii():
        response.headers["X-Release-Version"] = voice.version
    if request.script and request.script.ignored:
        # Names of a client's tags, of any characters.
        response.headers["X-Ignored-Markup"] = ", ".join(_NOT_OF_A_NAME.sub("?", name)[:80] for name in request.script.ignored)


def current_revision() -> str:
    """Return the id of the revision that this worker serves."""
    context: Context = current_app.extensions["chorus"]
    return context.revision


@contextmanager
def open_job(request: SpeechRequest, context: Context, audible: bool = True) -> Iterator[SynthesisJob]:
    """Admit a request and open its job: the one policy for speech and captions.

    Raises:
        BadRequestError: its client's timeout is no number of seconds.
        OverloadedError, WaitedTooLongError, ClientDisconnectedError: it is not admitted.
    """
    client = client_of(http_request.environ)
    try:
        with (
            context.admission.turn(client) as turn,
            Delivery(context.parking, client.connection, request.request_id, turn) as delivery,
            SynthesisJob(
                request, client, turn.queue_s, context.cpu, context.slot, delivery, context.settings.limits, audible
            ) as job,
        ):
            http_request.environ[JOB_KEY] = job
            yield job
    finally:
        context.watchdog.synthesised(request.voice.name)


def explained(request: SpeechRequest, context: Context) -> "list[ExplainedSentence]":
    """Admit a request and explain its text.

    Raises:
        ServiceError: see `open_job`, and `ExplanationJob.run`.
    """
    client = client_of(http_request.environ)
    try:
        with context.admission.turn(client) as turn:
            from app.synthesis.explanation import ExplanationJob  # late: for those who write lexicons

            job = ExplanationJob(request, client, turn.queue_s, context.cpu, context.slot)
            http_request.environ[JOB_KEY] = job
            return job.run()
    finally:
        context.watchdog.synthesised(request.voice.name)


def answer(request: SpeechRequest, context: Context, is_seeded: bool = False) -> Response:
    """Wait for a turn, make the first chunk, and return the response that carries the speech to its end.

    A request in a URL repeats its bytes: its seed is that of what it speaks, unless it has one. HEAD, and a client that has the
    bytes already, get an answer without any work.

    Args:
        request: what to speak.
        context: of this process.
        is_seeded: whether the client gave the seed.

    Raises:
        ClientDisconnectedError: the client disconnected before the answer was complete.
        ServiceError: the speech failed or was refused; nothing has been sent.
    """
    if is_of_a_url() and not is_seeded:
        request = with_fixed_seed(request)
    tag = tag_of(request, context) if is_seeded or is_of_a_url() else None
    if tag is not None and tag.is_kept():
        return _answer_without_audio(request, tag, 304)
    if tag is not None and http_request.method == "HEAD":
        return _answer_without_audio(request, tag, 200)
    with ExitStack() as work:
        job = work.enter_context(open_job(request, context))
        job.begin()
        encoder = work.enter_context(closing(_open_encoder(request)))
        if request.streamed:
            response = Response(stream_events(job, encoder) if request.as_events else _stream(job, encoder))
            # nginx would otherwise hold chunks back until its buffer is full.
            response.headers["X-Accel-Buffering"] = "no"
        else:
            response = _whole_response(job, encoder, context.settings.limits, tag)
        _set_audio_headers(response, request, encoder, tag)
        set_speech_headers(response, request, job.is_silent)
        response.call_on_close(work.pop_all().close)
    return response


def _answer_without_audio(request: SpeechRequest, tag: Tag, status: int) -> Response:
    """Return the head of an answer whose audio is not made, because the client has it or does not want it."""
    response = Response(iter(()), status)  # an iterator, since a body of known length would have a `Content-Length` of 0
    with closing(_open_encoder(request)) as encoder:
        _set_audio_headers(response, request, encoder, tag)
    set_speech_headers(response, request, is_silent=False)
    return response


def _open_encoder(request: SpeechRequest) -> Encoder:
    return open_encoder(
        request.audio_format, request.voice.sample_rate_hz, request.output_rate_hz, request.streamed, request.serial
    )


def _set_audio_headers(response: Response, request: SpeechRequest, encoder: Encoder, tag: Tag | None) -> None:
    if request.as_events:
        response.content_type = "text/event-stream; charset=utf-8"
    else:
        response.content_type = content_type(request.audio_format, encoder.sample_rate_hz)
        # A browser plays what it has opened by its URL.
        disposition = "inline" if is_of_a_url() else "attachment"
        response.headers["Content-Disposition"] = f'{disposition}; filename="speech.{request.audio_format}"'
    response.headers["X-Sample-Rate"] = str(encoder.sample_rate_hz)
    if tag is not None:
        response.headers["ETag"] = str(tag)
    if is_of_a_url():
        response.headers["Accept-Ranges"] = "none" if request.streamed else "bytes"


def _stream(job: SynthesisJob, encoder: Encoder) -> Iterator[bytes]:
    """Yield a stream while it is made.

    Raises:
        StreamCutError: it failed; its client notices that the last chunk is missing.
    """
    try:
        for chunk in job:
            # An empty piece would end a chunked answer.
            if data := encoder.encode(chunk.samples):
                yield data
        if data := encoder.finish():
            yield data
    except ServiceError as error:
        raise StreamCutError(error.message) from error
    except Exception as error:  # of a codec
        job.fail(error)
        raise


def _whole_response(job: SynthesisJob, encoder: Encoder, limits: Limits, tag: Tag | None) -> Response:
    """Make all of the speech, and return it or the part of it that is asked for.

    Raises:
        RangeNotSatisfiableError: it ends before that part.
    """
    with ExitStack() as unsent:
        spool = unsent.enter_context(closing(Spool()))
        with closing(encoder):
            for chunk in job:
                spool.write(encoder.encode(chunk.samples))
                require_size(spool.size_bytes, limits)
            spool.write(encoder.finish())
            require_size(spool.size_bytes, limits)
            spool.finish()
            head = encoder.head()
        size_bytes = len(head) + spool.size_bytes
        part = None if tag is None else resolve_range(tag, size_bytes)
        start, stop = part or (0, size_bytes)
        response = Response(spool.read(head, start, stop))
        if part is not None:
            set_range(response, part, size_bytes)
        response.headers["Content-Length"] = str(stop - start)
        job.delivery.complete(stop - start)
        response.call_on_close(unsent.pop_all().close)
    return response


class Spool:
    """A whole answer until it is complete: in memory while it is small, then in a temporary file.

    A chapter as WAV is 50 MB. In memory, four at a time would be more than a worker needs for everything else; the pages of
    a file can be written to disk. If the folder of temporary files (`TMPDIR`) is in memory itself, they count there. For one
    thread; to be closed in any case.
    """

    def __init__(self, memory_bytes: int = SPOOL_MEMORY_BYTES) -> None:
        """Keep up to `memory_bytes` in memory."""
        self._file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Append `data`.

        Raises:
            NoRoomError: there is no folder for temporary files, or no space in it.
        """
        with _refusing_without_space():
            self._file.write(data)
        self.size_bytes += len(data)

    def finish(self) -> None:
        """Flush the file; nothing is appended any more.

        Raises:
            NoRoomError: there is no space for the rest.
        """
        with _refusing_without_space():
            self._file.flush()

    def read(self, head: bytes, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` to `stop` of `head` and the content together, in pieces."""
        unread = (len(head) + self.size_bytes if stop is None else stop) - start
        self._file.seek(max(0, start - len(head)))
        piece = head[start:stop]
        piece += self._file.read(min(_PIECE_BYTES, unread - len(piece)))
        while piece:
            yield piece
            unread -= len(piece)
            piece = self._file.read(min(_PIECE_BYTES, unread))

    def close(self) -> None:
        """Free the memory, or the file. May be called twice."""
        with suppress(OSError):  # the rest could not be written, and is not needed
            self._file.close()


@contextmanager
def _refusing_without_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        event(log, "answer.spool_failed", logging.ERROR, reason=str(error), remedy="free disk space, or set TMPDIR")
        raise NoRoomError(RETRY_AFTER_S) from error
