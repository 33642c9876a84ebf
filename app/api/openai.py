"""OpenAI's dialect: `/v1/audio/speech`. What its clients look up before they use it is in `listings`."""

import json
import re
from typing import Any

import voluptuous as vol
from flask import Blueprint, Response, current_app, g, jsonify, request

from app.api.responses import answer
from app.codecs.registry import FORMATS
from app.context import Service
from app.errors import BadRequestError, ServiceError, UnsupportedFormatError
from app.scheduling.deadline import listener
from app.synthesis.captions import GRANULARITIES
from app.synthesis.request import MOST_SEED, Speaking, SpeechRequest, checked_text, chosen_seed
from app.synthesis.voices import speaking
from loader.config.validators import absent_or, flag, number, one_of, shown, whole
from loader.voices.voice import FASTEST, SLOWEST

#: What OpenAI's clients take bare PCM to be.
OPENAI_PCM_RATE_HZ = 24_000
#: What may be asked for.
LEAST_RATE_HZ, MOST_RATE_HZ = 8_000, 48_000

#: What may stand in a header.
_FIELD = re.compile(r"[\w.-]{1,40}", re.ASCII)

openai = Blueprint("openai", __name__, url_prefix="/v1")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise vol.Invalid(f"expected a string, found {shown(value)}")
    return value


def _granularities(value: Any) -> list[str]:
    """Return the list. Looked through by hand: voluptuous makes an error of each item, 170 MB for the longest body."""
    known = (*GRANULARITIES, "segment")
    if not isinstance(value, list) or len(value) > 2 * len(known):
        raise vol.Invalid(f"expected a list of some of {', '.join(known)}")
    check = one_of(*known)
    return [check(each) for each in value]


_NAMED_VOICE = vol.Schema({vol.Required("id"): str}, extra=vol.REMOVE_EXTRA)

# Unknown keys are let through: clients send fields of other servers, and newer ones.
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
        vol.Optional("seed", default=None): absent_or(whole(0, MOST_SEED)),
        vol.Optional("sample_rate", default=None): absent_or(whole(LEAST_RATE_HZ, MOST_RATE_HZ)),
        vol.Optional("noise_scale", default=None): absent_or(number(0.0, 2.0)),
        vol.Optional("noise_scale_duration", default=None): absent_or(number(0.0, 2.0)),
        vol.Optional("sentence_pause", default=None): absent_or(number(0.0, 10.0)),
        vol.Optional("timestamp_granularities", default=None): absent_or(_granularities),
    },
    extra=vol.ALLOW_EXTRA,
)  # fmt: skip


@openai.post("/audio/speech")
def speech() -> Response:
    """Speak `input`; streamed as it is made, as OpenAI's own server does, but for WAV unless that is asked for."""
    service: Service = current_app.extensions["chorus"]
    return answer(speech_request(service, body_of(BODY)), service, listener(request.environ))


def speech_request(service: Service, body: dict[str, Any]) -> SpeechRequest:
    """Return what a body asks for, every field checked."""
    audio_format, as_events = _audio_format(body), body["stream_format"] == "sse"
    return SpeechRequest(
        text=checked_text(body["input"], service.settings.limits, "input"),
        speaking=named_speaking(service, body),
        audio_format=audio_format,
        streamed=as_events or _is_streamed(body, audio_format),
        speed=1.0 if body["speed"] is None else body["speed"],
        seed=chosen_seed(body["seed"]),
        request_id=g.request_id,
        sample_rate_hz=body["sample_rate"] or (OPENAI_PCM_RATE_HZ if audio_format == "pcm" else None),
        noise_scale=body["noise_scale"],
        noise_scale_duration=body["noise_scale_duration"],
        sentence_pause_s=body["sentence_pause"],
        as_events=as_events,
        timestamps=_timestamps(body),
    )


def _audio_format(body: dict[str, Any]) -> str:
    named: str = body["response_format"] or "mp3"
    if named not in FORMATS:
        raise UnsupportedFormatError(
            f"response_format is {named[:40]!r}, expected one of {', '.join(FORMATS)}", "response_format"
        )
    return named


def _is_streamed(body: dict[str, Any], audio_format: str) -> bool:
    """Return what was asked for; else a WAV is whole, since many readers trust the sizes in its header."""
    if body["stream"] is not None:
        return bool(body["stream"])
    return body["stream_format"] == "audio" or audio_format != "wav"


def _timestamps(body: dict[str, Any]) -> tuple[str, ...]:
    # What OpenAI's transcriptions call a segment is a sentence here.
    asked = ["sentence" if each == "segment" else each for each in body["timestamp_granularities"] or ()]
    return tuple(dict.fromkeys(asked))


def named_speaking(service: Service, body: dict[str, Any]) -> Speaking:
    """Return who is to speak, by OpenAI's fields and ours."""
    voice = body["voice"]
    name = voice["id"] if isinstance(voice, dict) else voice
    return speaking(service.catalogue, name, body["model"], body["speaker"], body["language"])


def error_response(error: ServiceError) -> Response:
    """Return OpenAI's error object."""
    return jsonify(error=error.described())


def body_of(schema: vol.Schema) -> dict[str, Any]:
    """Return the request's body, with every field of `schema`.

    Raises:
        BadRequestError: it is no such object; the message names the field.
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


def name_ignored_fields(response: Response) -> Response:
    """Say which fields of a request meant nothing, so that a misspelt one is found."""
    named = [name for name in g.get("ignored_fields", ()) if _FIELD.fullmatch(name)]
    if named:
        response.headers["X-Ignored-Fields"] = ", ".join(named[:20])
    return response


openai.after_request(name_ignored_fields)


def _refusal(problem: vol.Invalid) -> BadRequestError:
    field = str(problem.path[0]) if problem.path else None
    if field is None:
        return BadRequestError("the body is not a JSON object; send one with `input` and `voice`")
    message = {"required key not provided": "is missing; send the text to be spoken"}.get(problem.msg, problem.msg)
    return BadRequestError(f"{field}: {message}"[:300], field)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
