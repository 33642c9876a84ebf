"""Speech as server-sent events, as OpenAI sends it: audio in base64, and before it when its words are heard."""

import base64
import json
import logging
import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from app.codecs.base import Encoder
from app.errors import ClientGoneError, ServiceError, StreamCutError, UnspeakableError
from app.synthesis.captions import as_played, marks_event
from app.synthesis.job import Speech
from app.synthesis.request import SpeechRequest
from loader.errors import SpeechError

log = logging.getLogger("chorus.http")

#: OpenAI bills by tokens; clients show the numbers. These are its rules of thumb: 4 characters of text, 50 ms of audio.
_CHARACTERS_PER_TOKEN, _TOKENS_PER_S = 4, 20


def events(speech: Speech, encoder: Encoder) -> Iterator[bytes]:
    """Yield the events of one speech, to `done` or, where it failed after its first window, to `error`."""
    request, samples = speech.request, 0
    with closing(encoder), closing(speech.stretches):
        try:
            for stretch in speech.stretches:
                samples += stretch.samples.size
                if stretch.begins is not None and request.timestamps:
                    timing = as_played(request.speaking.voice.timing(stretch.begins), request)
                    yield _event(marks_event(timing, request.speaking.voice.sample_rate_hz, request.timestamps))
                yield from _audio(encoder.encode(stretch.samples))
            yield from _audio(encoder.finish())
            yield _event({"type": "speech.audio.done", "usage": _usage(request, samples)})
        except ClientGoneError as error:
            raise StreamCutError(error.message) from error
        except SpeechError as error:
            yield _event({"type": "error", "error": UnspeakableError(str(error), "input").described()})
        except ServiceError as error:
            yield _event({"type": "error", "error": error.described()})
        except Exception:  # codecs and alignment; the stream has begun, and its listener must be told
            log.exception("request.failed", extra={"request_id": request.request_id})
            yield _event({"type": "error", "error": ServiceError("internal error").described()})


def _audio(data: bytes) -> Iterator[bytes]:
    if data:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode("ascii")})


def _event(document: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _usage(request: SpeechRequest, samples: int) -> dict[str, int]:
    spoken = math.ceil(len(request.text) / _CHARACTERS_PER_TOKEN)
    heard = math.ceil(samples / request.speaking.voice.sample_rate_hz * _TOKENS_PER_S)
    return {"input_tokens": spoken, "output_tokens": heard, "total_tokens": spoken + heard}
