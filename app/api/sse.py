"""Server-sent events, as OpenAI streams speech: audio in base64, and before it the timestamps of its words."""

import base64
import json
import logging
import math
from collections.abc import Iterator
from typing import Any

from app.codecs.registry import Encoder
from app.errors import ClientDisconnectedError, ServiceError, StreamCutError, UnspeakableError
from app.synthesis.captions import as_played, marks_event
from app.synthesis.job import SynthesisJob
from app.synthesis.request import SpeechRequest
from loader.errors import SpeechError
from loader.timing.timings import Timing
from loader.voices.chunks import Chunk

log = logging.getLogger("chorus.http")

#: OpenAI bills by tokens, and clients show the numbers. These are its rules of thumb: 4 characters of text, 50 ms of audio.
_CHARACTERS_PER_TOKEN, _TOKENS_PER_S = 4, 20


def stream_events(job: SynthesisJob, encoder: Encoder) -> Iterator[bytes]:
    """Yield the events of one speech; the last one is `done`, or `error` after a failure."""
    request, samples = job.request, 0
    try:
        for chunk in job:
            samples += chunk.samples.size
            if (timing := _timing(chunk, request)) is not None:
                yield _event(marks_event(timing, request.voice.sample_rate_hz, request.timestamps))
            yield from _audio(encoder.encode(chunk.samples))
        yield from _audio(encoder.finish())
        yield _event({"type": "speech.audio.done", "usage": _usage(request, samples)})
    except ClientDisconnectedError as error:
        raise StreamCutError(error.message) from error
    except SpeechError as error:
        yield _error(UnspeakableError(str(error), "input"))
    except ServiceError as error:
        yield _error(error)
    except Exception as error:  # of codecs and alignment: the stream has begun, so the error goes to the client as an event
        job.fail(error)
        log.exception("request.failed", extra={"request_id": request.request_id})
        yield _error(ServiceError("internal error"))


def _timing(chunk: Chunk, request: SpeechRequest) -> Timing | None:
    """Return the timing of the utterance that a chunk begins, if its times are requested or its markup has marks."""
    segment = chunk.begins
    if segment is None or not (request.timestamps or segment.marks):
        return None
    timing = request.voice.timing(chunk)
    if timing is None or not (timing.marks or (request.timestamps and not timing.is_silence)):
        return None
    return as_played(timing, request)


def _audio(data: bytes) -> Iterator[bytes]:
    if data:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode("ascii")})


def _error(error: ServiceError) -> bytes:
    return _event({"type": "error", "error": error.as_dict()})


def _event(document: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _usage(request: SpeechRequest, samples: int) -> dict[str, int]:
    input_tokens = math.ceil(len(request.text) / _CHARACTERS_PER_TOKEN)
    output_tokens = math.ceil(samples / request.voice.sample_rate_hz * _TOKENS_PER_S)
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "total_tokens": input_tokens + output_tokens}
