"""OpenAI's dialect: `/v1/audio/speech`, and for the same body `/v1/audio/captions` and `/v1/audio/explain`.

Captions say when each word of the speech of that body and seed is heard, an explanation what is read for it. The listings are
in `catalog`.
"""

import json
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request

from app.api.bodies import parse_body, parse_query, take_text
from app.api.conditional import is_about_a_file
from app.api.fields import Body, CaptionsBody, NamedVoice
from app.api.responses import answer, explained, open_job, set_speech_headers, set_text_headers
from app.codecs.registry import FORMATS, resolve_format
from app.context import Context
from app.errors import MethodNotAllowedError, ServiceError, UnsupportedFormatError
from app.synthesis.captions import CONTENT_TYPES, GRANULARITIES, as_played, captions_json, srt, vtt
from app.synthesis.job import SILENCE_S
from app.synthesis.markup import parse_source, require_voice
from app.synthesis.request import SpeechRequest, resolve_lexicon
from app.synthesis.voices import resolve_voice
from loader.timing.timings import Timing
from loader.voices.voice import SpeechOptions, random_seed

#: Sample rate that OpenAI's clients expect of bare PCM.
OPENAI_PCM_RATE_HZ = 24_000

openai = Blueprint("openai", __name__, url_prefix="/v1")
captions = Blueprint("captions", __name__, url_prefix="/v1")
explanations = Blueprint("explain", __name__, url_prefix="/v1")


@openai.route("/audio/speech", methods=["GET", "POST"])
def speech() -> Response:
    """Speak `input`. Every format but WAV is streamed by default, as by OpenAI's own server.

    A GET has the fields of the body in its query: players can only be given a URL.
    """
    context: Context = current_app.extensions["chorus"]
    body = parse_body(Body) if request.method == "POST" else parse_query(Body)
    return answer(speech_request(context, body), context, is_seeded=body["seed"] is not None)


@captions.post("/audio/captions")
def timings() -> Response:
    """Return captions of `input`. Voices that know their durations before they speak make no audio for it."""
    context: Context = current_app.extensions["chorus"]
    body = parse_body(CaptionsBody)
    caption_format: str = body["caption_format"] or "json"
    if body["caption_format"] is None and (named := _lower(body["response_format"])) in CONTENT_TYPES:
        # OpenAI's clients of transcriptions know it by this name.
        caption_format, body["response_format"] = named, None
    wanted = speech_request(context, body)
    with open_job(wanted, context, audible=False) as job:
        measured = [timing for chunk in job if (timing := wanted.voice.timing(chunk)) is not None]
    content = _format_captions([as_played(timing, wanted) for timing in measured], wanted, caption_format)
    response = Response(content, content_type=CONTENT_TYPES[caption_format])
    set_speech_headers(response, wanted, job.is_silent)
    return response


@explanations.route("/audio/explain", methods=["GET", "POST"])
def explanation() -> Response:
    """Return what the voice reads for each word of `input`, and why; a GET has the fields of the body in its query."""
    if request.method == "HEAD":  # Flask adds it to GET
        raise MethodNotAllowedError("HEAD would explain a text for no client; use GET or POST", ("GET", "POST"))
    from app.synthesis.explanation import explanation_json  # late: for those who write lexicons

    context: Context = current_app.extensions["chorus"]
    wanted = speech_request(context, parse_body(Body) if request.method == "POST" else parse_query(Body))
    response = Response(
        json.dumps(explanation_json(explained(wanted, context), wanted), ensure_ascii=False), content_type="application/json"
    )
    set_text_headers(response, wanted)
    return response


def _format_captions(timings: list[Timing], wanted: SpeechRequest, caption_format: str) -> str:
    rate_hz = wanted.voice.sample_rate_hz
    if caption_format != "json":
        return srt(timings, rate_hz) if caption_format == "srt" else vtt(timings, rate_hz)
    granularities = wanted.timestamps or GRANULARITIES[:2]
    total_samples = timings[-1].end_samples if timings else round(SILENCE_S * rate_hz)
    document = captions_json(timings, rate_hz, total_samples, granularities, wanted.options.seed)
    return json.dumps(document, ensure_ascii=False)


def speech_request(context: Context, body: dict[str, Any]) -> SpeechRequest:
    """Return the domain form of a body, every field checked."""
    audio_format, as_events, name = _audio_format(body), body["stream_format"] == "sse", body["voice"]
    named = name.id if isinstance(name, NamedVoice) else name
    found = resolve_voice(context.warm_up.catalogue, named, body["model"], body["speaker"], body["language"])
    options = SpeechOptions(
        seed=random_seed() if body["seed"] is None else body["seed"],
        speed=1.0 if body["speed"] is None else body["speed"],
        soon=as_events or _is_streamed(body, audio_format),
        speaker=found.speaker,
        language=found.language,
        noise_scale=body["noise_scale"],
        noise_scale_duration=body["noise_scale_duration"],
        sentence_pause_s=body["sentence_pause"],
        normalize=body["normalize"],
        lexicon=resolve_lexicon(body["lexicon"] or {}, context.settings.limits, "lexicon"),
    )
    text = take_text(body["input"])
    script = parse_source(text, context.settings, "input", body["text_format"], body["ssml"])
    require_voice(script, found.voice, context.warm_up.catalogue, "input")
    return SpeechRequest(
        text=text,
        voice=found.voice,
        options=options,
        audio_format=audio_format,
        request_id=g.request_id,
        sample_rate_hz=body["sample_rate"] or (OPENAI_PCM_RATE_HZ if audio_format == "pcm" else None),
        as_events=as_events,
        timestamps=_timestamps(body),
        script=script,
    )


def _audio_format(body: dict[str, Any]) -> str:
    name: str = body["response_format"] or "mp3"
    audio_format = resolve_format(name)
    if audio_format is None:
        raise UnsupportedFormatError(f"response_format is {name[:40]!r}, expected one of {', '.join(FORMATS)}", "response_format")
    return audio_format


def _lower(name: str | None) -> str:
    return (name or "").strip().lower()


def _is_streamed(body: dict[str, Any], audio_format: str) -> bool:
    """Return whether to stream. A WAV is whole by default, since many readers trust the sizes in its header."""
    if body["stream"] is not None:
        return bool(body["stream"])
    if is_about_a_file():
        return False
    return body["stream_format"] == "audio" or audio_format != "wav"


def _timestamps(body: dict[str, Any]) -> tuple[str, ...]:
    # OpenAI's transcriptions call a sentence a segment.
    names = ["sentence" if each == "segment" else each for each in body["timestamp_granularities"] or ()]
    return tuple(dict.fromkeys(names))


def error_response(error: ServiceError) -> Response:
    """Return OpenAI's error object."""
    return jsonify(error=error.as_dict())
