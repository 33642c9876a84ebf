"""When it will be heard: `/v1/audio/captions`, for the same body and seed as the speech itself. Ours alone."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, current_app, request

from app.api.openai import Body, body_of, name_ignored_fields, speech_request
from app.context import Service
from app.scheduling.deadline import listener
from app.synthesis.captions import CONTENT_TYPES, GRANULARITIES, as_played, captions_json, srt, vtt
from app.synthesis.job import measured_speech
from app.synthesis.request import SpeechRequest
from loader.timing.timings import Timing

captions = Blueprint("captions", __name__, url_prefix="/v1")
captions.after_request(name_ignored_fields)


@dataclass(frozen=True)
class CaptionsBody(Body):
    """The fields of a body, with the format of the captions."""

    caption_format: Literal["json", "srt", "vtt"] | None = None


@captions.post("/audio/captions")
def timings() -> Response:
    """Return captions of `input`; a voice that knows its durations does not speak for it."""
    service: Service = current_app.extensions["chorus"]
    body = _with_its_format(body_of(CaptionsBody))
    asked = speech_request(service, body)
    client = listener(request.environ)
    with service.admission.turn(client), service.heap.work():
        heard = measured_speech(asked, service.hands, client, service.settings.limits)
    service.watchdog.synthesised(asked.speaking.voice.name)
    measured = [as_played(timing, asked) for timing in heard]
    form = body["caption_format"]
    response = Response(_written(asked, measured, form), content_type=CONTENT_TYPES[form])
    response.headers["X-Seed"] = str(asked.seed)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _with_its_format(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with `caption_format`, which OpenAI's clients of transcriptions know as `response_format`."""
    named, audio_format = body["caption_format"], body["response_format"]
    if named is None and audio_format in CONTENT_TYPES:
        return {**body, "caption_format": audio_format, "response_format": None}
    return {**body, "caption_format": named or "json"}


def _written(asked: SpeechRequest, timings: list[Timing], form: str) -> str:
    rate_hz = asked.speaking.voice.sample_rate_hz
    if form != "json":
        return srt(timings, rate_hz) if form == "srt" else vtt(timings, rate_hz)
    document = captions_json(timings, rate_hz, timings[-1].end_samples, asked.timestamps or GRANULARITIES[:2], asked.seed)
    return json.dumps(document, ensure_ascii=False)
