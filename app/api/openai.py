"""OpenAI's dialect: `/v1/audio/speech`. What its clients look up before they use it is in `listings`."""

import json
from typing import Any

import voluptuous as vol
from flask import Blueprint, Response, current_app, g, jsonify, request

from app.audio import FORMATS, answer
from app.errors import BadRequestError, ServiceError, UnsupportedFormatError
from app.listener import listener
from app.naming import speaking
from app.service import Service
from app.speech import (
    MOST_SEED,
    SpeechRequest,
    checked_text,
    chosen_seed,
)
from loader.validation import absent_or, flag, number, one_of, whole
from loader.voice import FASTEST, SLOWEST

openai = Blueprint("openai", __name__, url_prefix="/v1")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise vol.Invalid(f"expected a string, found {type(value).__name__}")
    return value


# Unknown keys are let through: clients send fields of other servers, and newer ones.
_BODY = vol.Schema(
    {
        vol.Required("input"): _string,
        vol.Optional("model", default=None): absent_or(_string),
        vol.Optional("voice", default=None): vol.Any(None, str, vol.Schema({vol.Required("id"): str}, extra=vol.REMOVE_EXTRA),
                                                     msg="expected a string, or an object with a string `id`"),
        vol.Optional("instructions", default=None): absent_or(_string),
        vol.Optional("response_format", default=None): absent_or(_string),
        vol.Optional("speed", default=None): absent_or(number(SLOWEST, FASTEST)),
        vol.Optional("stream_format", default=None): absent_or(one_of("audio")),
        vol.Optional("stream", default=None): absent_or(flag),
        vol.Optional("speaker", default=None): absent_or(_string),
        vol.Optional("language", default=None): absent_or(_string),
        vol.Optional("seed", default=None): absent_or(whole(0, MOST_SEED)),
    },
    extra=vol.ALLOW_EXTRA,
)  # fmt: skip


@openai.post("/audio/speech")
def speech() -> Response:
    """Speak `input`. Streams when asked by `stream` or `stream_format`."""
    service: Service = current_app.extensions["chorus"]
    body = _body()
    voice = body["voice"]
    name = voice["id"] if isinstance(voice, dict) else voice
    audio_format = body["response_format"] or "wav"
    if audio_format not in FORMATS:
        raise UnsupportedFormatError(
            f"response_format is {audio_format[:40]!r}, expected one of {', '.join(FORMATS)}", "response_format"
        )
    asked_for_stream = body["stream_format"] == "audio" if body["stream"] is None else body["stream"]
    return answer(
        SpeechRequest(
            text=checked_text(body["input"], service.settings.limits, "input"),
            speaking=speaking(service.catalogue, name, body["model"], body["speaker"], body["language"]),
            audio_format=audio_format,
            streamed=asked_for_stream,
            speed=1.0 if body["speed"] is None else body["speed"],
            seed=chosen_seed(body["seed"]),
            request_id=g.request_id,
        ),
        service.heap,
        listener(request.environ),
    )


def error_response(error: ServiceError) -> Response:
    """Return OpenAI's error object; its clients need all four keys."""
    return jsonify(error={"message": error.message, "type": error.kind, "param": error.parameter, "code": error.code})


def _body() -> dict[str, Any]:
    try:
        document = json.loads(request.get_data().decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is not JSON; send an object with `input` and `voice`") from error
    try:
        return dict(_BODY(document))
    except vol.MultipleInvalid as error:
        raise _refusal(error.errors[0]) from error


def _refusal(problem: vol.Invalid) -> BadRequestError:
    field = str(problem.path[0]) if problem.path else None
    if field is None:
        return BadRequestError("the body is not a JSON object; send one with `input` and `voice`")
    message = {"required key not provided": "is missing"}.get(problem.msg, problem.msg)
    return BadRequestError(f"{field}: {message}"[:300], field)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
