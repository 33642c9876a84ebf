"""OpenAI's dialect: `/v1/audio/speech`. Its listings are in `catalog`."""

import json
import re
from typing import Any

import voluptuous as vol
from flask import Blueprint, Response, current_app, g, jsonify, request

from app.api.responses import answer
from app.codecs.registry import FORMATS
from app.context import Context
from app.errors import BadRequestError, ServiceError, UnsupportedFormatError
from app.scheduling.deadline import client_of
from app.synthesis.captions import GRANULARITIES
from app.synthesis.request import MAX_SEED, SpeechRequest, require_text
from app.synthesis.voices import resolve_voice
from loader.config.validators import absent_or, flag, number, one_of, shown, whole
from loader.voices.voice import FASTEST, SLOWEST, Delivery, random_seed

#: Sample rate that OpenAI's clients expect of bare PCM.
OPENAI_PCM_RATE_HZ = 24_000
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 48_000

#: A field name that may be repeated in a header.
_FIELD = re.compile(r"[\w.-]{1,40}", re.ASCII)

openai = Blueprint("openai", __name__, url_prefix="/v1")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise vol.Invalid(f"expected a string, found {shown(value)}")
    return value


def _granularities(value: Any) -> list[str]:
    """Return the list. Checked by hand: voluptuous makes an error of each item, 170 MB for the longest body."""
    known = (*GRANULARITIES, "segment")
    if not isinstance(value, list) or len(value) > 2 * len(known):
        raise vol.Invalid(f"expected a list of some of {', '.join(known)}")
    check = one_of(*known)
    return [check(each) for each in value]


_NAMED_VOICE = vol.Schema({vol.Required("id"): str}, extra=vol.REMOVE_EXTRA)

# Unknown keys are ignored: clients send fields of other servers, and newer ones.
BODY = vol.Schema(
    {
        vol.Required("input"): _string,
        vol.Optional("model", default=None): absent_or(_string),
        vol.Optional("voice", default=None): vol.Any(None, str, _NAMED_VOICE,
                                                     msg="expected a string, or an object with a string `id`"),
        vol.Optional("instructions", default=None): absent_or(_string),
        vol.Optional("response_format", default=None): absent_or(_string),
        vol.Optional("speed", default=None): absent_or(number(SLOWEST, FASTEST)),
        vol.Optional("stream_format", default=None): absent_or(one_of("audio", "sse")),
        vol.Optional("stream", default=None): absent_or(flag),
        vol.Optional("speaker", default=None): absent_or(_string),
        vol.Optional("language", default=None): absent_or(_string),
        vol.Optional("seed", default=None): absent_or(whole(0, MAX_SEED)),
        vol.Optional("sample_rate", default=None): absent_or(whole(MIN_RATE_HZ, MAX_RATE_HZ)),
        vol.Optional("noise_scale", default=None): absent_or(number(0.0, 2.0)),
        vol.Optional("noise_scale_duration", default=None): absent_or(number(0.0, 2.0)),
        vol.Optional("sentence_pause", default=None): absent_or(number(0.0, 10.0)),
        vol.Optional("timestamp_granularities", default=None): absent_or(_granularities),
    },
    extra=vol.ALLOW_EXTRA,
)  # fmt: skip


@openai.post("/audio/speech")
def speech() -> Response:
    """Speak `input`. Every format but WAV is streamed by default, as by OpenAI's own server."""
    context: Context = current_app.extensions["chorus"]
    return answer(speech_request(context, parse_body(BODY)), context, client_of(request.environ))


def speech_request(context: Context, body: dict[str, Any]) -> SpeechRequest:
    """Return the domain form of a body, every field checked."""
    audio_format, as_events, name = _audio_format(body), body["stream_format"] == "sse", body["voice"]
    found = resolve_voice(
        context.catalogue, name["id"] if isinstance(name, dict) else name, body["model"], body["speaker"], body["language"]
    )
    delivery = Delivery(
        seed=random_seed() if body["seed"] is None else body["seed"],
        speed=1.0 if body["speed"] is None else body["speed"],
        soon=as_events or _is_streamed(body, audio_format),
        speaker=found.speaker,
        language=found.language,
        noise_scale=body["noise_scale"],
        noise_scale_duration=body["noise_scale_duration"],
        sentence_pause_s=body["sentence_pause"],
    )
    return SpeechRequest(
        text=require_text(body["input"], context.settings.limits, "input"),
        voice=found.voice,
        delivery=delivery,
        audio_format=audio_format,
        request_id=g.request_id,
        sample_rate_hz=body["sample_rate"] or (OPENAI_PCM_RATE_HZ if audio_format == "pcm" else None),
        as_events=as_events,
        timestamps=_timestamps(body),
    )


def _audio_format(body: dict[str, Any]) -> str:
    name: str = body["response_format"] or "mp3"
    if name not in FORMATS:
        raise UnsupportedFormatError(f"response_format is {name[:40]!r}, expected one of {', '.join(FORMATS)}", "response_format")
    return name


def _is_streamed(body: dict[str, Any], audio_format: str) -> bool:
    """Return whether to stream. A WAV is whole by default, since many readers trust the sizes in its header."""
    if body["stream"] is not None:
        return bool(body["stream"])
    return body["stream_format"] == "audio" or audio_format != "wav"


def _timestamps(body: dict[str, Any]) -> tuple[str, ...]:
    # OpenAI's transcriptions call a sentence a segment.
    names = ["sentence" if each == "segment" else each for each in body["timestamp_granularities"] or ()]
    return tuple(dict.fromkeys(names))


def error_response(error: ServiceError) -> Response:
    """Return OpenAI's error object."""
    return jsonify(error=error.as_dict())


def parse_body(schema: vol.Schema) -> dict[str, Any]:
    """Parse the request's body; every field of `schema` is in the result.

    Raises:
        BadRequestError: it does not fit the schema; the message names the field.
    """
    try:
        document = json.loads(request.get_data().decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is not JSON; send an object with `input` and `voice`") from error
    try:
        fields = dict(schema(document))
    except RecursionError as error:
        raise BadRequestError("the body is nested too deeply; its fields are texts, numbers and one list") from error
    except vol.MultipleInvalid as error:
        raise _refusal(error.errors[0]) from error
    g.ignored_fields = [name for name in fields if name not in schema.schema]
    return fields


def list_ignored_fields(response: Response) -> Response:
    """List the fields that were ignored in `X-Ignored-Fields`, so that a misspelt one is noticed."""
    names = [name for name in g.get("ignored_fields", ()) if _FIELD.fullmatch(name)]
    if names:
        response.headers["X-Ignored-Fields"] = ", ".join(names[:20])
    return response


openai.after_request(list_ignored_fields)


def _refusal(problem: vol.Invalid) -> BadRequestError:
    field = str(problem.path[0]) if problem.path else None
    if field is None:
        return BadRequestError("the body is not a JSON object; send one with `input` and `voice`")
    message = {"required key not provided": "is missing; send the text to be spoken"}.get(problem.msg, problem.msg)
    return BadRequestError(f"{field}: {message}"[:300], field)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
