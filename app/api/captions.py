"""Captions: `/v1/audio/captions` returns when each word of a speech is heard, for the same body and seed as the speech."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, current_app, request

from app.api.openai import Body, list_ignored_fields, parse_body, speech_request
from app.api.responses import open_job
from app.context import Context
from app.scheduling.deadline import client_of
from app.synthesis.captions import CONTENT_TYPES, GRANULARITIES, as_played, captions_json, srt, vtt
from app.synthesis.request import SpeechRequest
from loader.timing.timings import Timing

captions = Blueprint("captions", __name__, url_prefix="/v1")
captions.after_request(list_ignored_fields)


@dataclass(frozen=True)
class CaptionsBody(Body):
    """The fields of a body, with the format of the captions."""

    caption_format: Literal["json", "srt", "vtt"] | None = None


@captions.post("/audio/captions")
def timings() -> Response:
    """Return captions of `input`. Voices that know their durations before they speak make no audio for it."""
    context: Context = current_app.extensions["chorus"]
    body = _with_caption_format(parse_body(CaptionsBody))
    wanted = speech_request(context, body)
    with open_job(wanted, context, client_of(request.environ), audible=False) as job:
        measured = [timing for chunk in job if (timing := wanted.voice.timing(chunk)) is not None]
    caption_format = body["caption_format"]
    content = _format([as_played(timing, wanted) for timing in measured], wanted, caption_format)
    response = Response(content, content_type=CONTENT_TYPES[caption_format])
    response.headers["X-Seed"] = str(wanted.options.seed)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _with_caption_format(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with `caption_format`, which OpenAI's clients of transcriptions know as `response_format`."""
    caption_format, audio_format = body["caption_format"], body["response_format"]
    if caption_format is None and audio_format in CONTENT_TYPES:
        return {**body, "caption_format": audio_format, "response_format": None}
    return {**body, "caption_format": caption_format or "json"}


def _format(timings: list[Timing], wanted: SpeechRequest, caption_format: str) -> str:
    rate_hz = wanted.voice.sample_rate_hz
    if caption_format != "json":
        return srt(timings, rate_hz) if caption_format == "srt" else vtt(timings, rate_hz)
    granularities = wanted.timestamps or GRANULARITIES[:2]
    document = captions_json(timings, rate_hz, timings[-1].end_samples, granularities, wanted.options.seed)
    return json.dumps(document, ensure_ascii=False)
