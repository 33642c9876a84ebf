"""`/openapi.json`: the API in OpenAPI 3.1, made of the declarations that check requests and of the classes of errors.

A test compares its paths with the routes, and sends every field, bound and example of it to a server.
"""

import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Blueprint, Response

from app.api.bodies import SSML_TYPE
from app.api.fields import Body, CaptionsBody
from app.codecs.registry import FORMATS, content_type
from app.errors import ServiceError
from app.synthesis.captions import CONTENT_TYPES

openapi = Blueprint("openapi", __name__)

_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_JSON, _WAV, _TEXT, _EVENTS = "application/json", "audio/wav", "text/plain", "text/event-stream"
_AUDIO = tuple(dict.fromkeys(content_type(audio_format, 24_000).partition(";")[0] for audio_format in FORMATS))
#: Errors of requests that speak; others are answered with the first four only.
_PLAIN_STATUSES = (400, 401, 404, 405)


@dataclass(frozen=True)
class Operation:
    """What a method of a path takes and returns."""

    summary: str
    #: Media types of the answer.
    answers: tuple[str, ...] = (_JSON,)
    #: The fields of the body, or of the query of a GET.
    fields: type[Body] | None = None
    #: Parameters of the path and query by name, each with its meaning.
    parameters: tuple[tuple[str, str, str], ...] = ()
    tag: str = "state"
    speaks: bool = False


_SPEECH = Operation("Speak a text", (*_AUDIO, _EVENTS), Body, tag="speech", speaks=True)
_CAPTIONS = Operation(
    "Return when each word is heard", tuple(kind.partition(";")[0] for kind in CONTENT_TYPES.values()), CaptionsBody,
    tag="speech", speaks=True,
)  # fmt: skip
_EXPLANATION = Operation("Return what is read for each word, and why", fields=Body, tag="speech", speaks=True)
_COQUI = Operation(
    "Speak as Coqui's tts-server", (_WAV,),
    parameters=(
        ("query", "text", "the text"), ("query", "speaker_id", "a speaker of the voice"),
        ("query", "language_id", "a language of the voice"),
    ),
    tag="coqui", speaks=True,
)  # fmt: skip
_MARYTTS = Operation(
    "Speak as MaryTTS", (_WAV,),
    parameters=(
        ("query", "INPUT_TEXT", "the text"), ("query", "INPUT_TYPE", "TEXT or SSML"), ("query", "OUTPUT_TYPE", "AUDIO"),
        ("query", "AUDIO", "WAVE_FILE"), ("query", "VOICE", "a voice, with its speaker as `voice#speaker`"),
        ("query", "LOCALE", "a language, such as en_US"),
    ),
    tag="marytts", speaks=True,
)  # fmt: skip
_MARYTTS_LIST = {name: Operation(f"List {name} as MaryTTS", (_TEXT,), tag="marytts") for name in (
    "voices", "locales", "version", "audioformats", "datatypes"
)}  # fmt: skip

#: By path and method. The page and its files are not part of the API.
OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "/v1/audio/speech": {"get": _SPEECH, "post": _SPEECH},
    "/v1/audio/captions": {"post": _CAPTIONS},
    "/v1/audio/explain": {"get": _EXPLANATION, "post": _EXPLANATION},
    "/v1/models": {"get": Operation("List the voices as OpenAI's models", tag="listings")},
    "/v1/models/{name}": {
        "get": Operation("Describe one", parameters=(("path", "name", "a voice, an alias or a model"),), tag="listings")
    },
    "/v1/audio/models": {"get": Operation("List the voices as Open WebUI's models", tag="listings")},
    "/v1/audio/voices": {
        "get": Operation(
            "List the voices with speakers and languages",
            parameters=(("query", "legacy", "`true`: bare names"),), tag="listings",
        )
    },
    "/api/tts": {"get": _COQUI, "post": _COQUI},
    "/process": {"get": _MARYTTS, "post": _MARYTTS},
    **{f"/{name}": {"get": operation} for name, operation in _MARYTTS_LIST.items()},
    "/telephony/jambonz": {"post": Operation("Speak for jambonz", ("audio/mpeg",), tag="telephony", speaks=True)},
    "/telephony/vapi": {"post": Operation("Speak for Vapi", ("audio/pcm",), tag="telephony", speaks=True)},
    "/livez": {"get": Operation("Whether the server lives")},
    "/health": {"get": Operation("The same, as other servers call it")},
    "/v1/test": {"get": Operation("The same, as wyoming-openai asks")},
    "/readyz": {"get": Operation("Whether this worker can serve requests")},
    "/status": {"get": Operation("The state of all workers")},
    "/metrics": {"get": Operation("Metrics for Prometheus", (_TEXT,))},
    "/openapi.json": {"get": Operation("This document")},
}  # fmt: skip


@openapi.get("/openapi.json")
def document() -> Response:
    """Return the document."""
    return Response(json.dumps(openapi_document(), ensure_ascii=False), content_type=_JSON)


def openapi_document() -> dict[str, Any]:
    """Return the document, of plain values."""
    schemas = _schemas(Body, CaptionsBody)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chorus", "version": importlib.metadata.version("chorus-tts"), "summary": "Text to speech"},
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": {
            path: {method: _operation(path, method, operation) for method, operation in methods.items()}
            for path, methods in OPERATIONS.items()
        },
        "components": {
            "schemas": {**{name: _without_links(schema) for name, schema in schemas.items()}, "Error": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "description": "the value, the bound and the remedy"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "the field that caused it"},
                "code": {"type": "string"},
            },
        }
    },
}


def _schemas(*kinds: type[Body]) -> dict[str, Any]:
    return msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")[1]


def _operation(path: str, method: str, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": re.sub(r"\W+", "_", f"{method} {path}").strip("_"),
        "responses": {"200": _success(operation), **_conditional(method, operation), **_failures(operation)},
    }
    parameters = [_parameter(*each) for each in operation.parameters]
    if operation.fields and method == "get":
        parameters += _query(operation.fields)
    elif operation.fields:
        described["requestBody"] = _body(operation.fields)
    return {**described, **({"parameters": parameters} if parameters else {})}


def _success(operation: Operation) -> dict[str, Any]:
    return {"description": "success", "content": {kind: {"schema": _answer_schema(kind)} for kind in operation.answers}}


def _conditional(method: str, operation: Operation) -> dict[str, Any]:
    """Return the answers to `Range` and `If-None-Match`, which a GET of audio has."""
    if method != "get" or not any(kind.startswith("audio/") for kind in operation.answers):
        return {}
    return {
        "206": {**_success(operation), "description": "the part that `Range` asks for"},
        "304": {"description": "the client has it, by `If-None-Match`"},
    }


def _answer_schema(kind: str) -> dict[str, Any]:
    if kind == _JSON:
        return {"type": "object"}
    # Bytes have no schema in OpenAPI 3.1.
    return {} if kind.startswith("audio/") else {"type": "string"}


def _failures(operation: Operation) -> dict[str, Any]:
    """Return the errors by status, each with its codes."""
    by_status: dict[int, list[str]] = {}
    for error in dict.fromkeys(_errors(ServiceError)):
        if operation.speaks or error.status in _PLAIN_STATUSES:
            by_status.setdefault(error.status, []).append(f"`{error.code}`: {(error.__doc__ or '').partition(chr(10))[0]}")
    schema = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {
        str(status): {"description": "\n".join(dict.fromkeys(lines)), "content": {_JSON: schema}}
        for status, lines in sorted(by_status.items())
    }


def _errors(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _errors(child)


def _parameter(place: str, name: str, meaning: str) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "description": meaning, "schema": {"type": "string"}, **required}


def _query(fields: type[Body]) -> list[dict[str, Any]]:
    """Return the fields of a body as parameters; those that are not text are written as in JSON."""
    schema = _without_links(_schemas(fields)[fields.__name__])
    return [
        {"name": name, "in": "query", "required": name in schema["required"], "content": {_JSON: {"schema": each}}}
        if each.get("type") != "string"
        else {"name": name, "in": "query", "required": name in schema["required"], "schema": each}
        for name, each in schema["properties"].items()
    ]


def _body(fields: type[Body]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            _JSON: {"schema": {"$ref": f"#/components/schemas/{fields.__name__}"}, "examples": _EXAMPLES},
            SSML_TYPE: {"schema": {"type": "string"}, "example": "<speak>Wait <break time='1s'/> for it.</speak>"},
        },
    }


_EXAMPLES = {
    "simple": {"value": {"input": "Hello."}},
    "repeatable": {"value": {"input": "It is $3.50, Dr. Smith.", "seed": 7, "response_format": "wav"}},
    "streamed with times": {
        "value": {"input": "A story.", "stream_format": "sse", "timestamp_granularities": ["word"], "response_format": "pcm"}
    },
}


def _without_links(schema: Any) -> Any:
    """Return a schema whose descriptions have the words of links to other documents alone."""
    if isinstance(schema, dict):
        return {
            name: _LINK.sub(r"\1", value) if name == "description" else _without_links(value) for name, value in schema.items()
        }
    return [_without_links(each) for each in schema] if isinstance(schema, list) else schema
