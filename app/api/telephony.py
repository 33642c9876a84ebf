"""Requests in the shapes of telephone platforms, which call a speech server by its URL: jambonz and Vapi.

Both send texts of one turn of a conversation, with a key. What they do not send, a voice for Vapi, is in the query of the URL.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, current_app, g
from msgspec import Meta

from app.api.bodies import check_fields, parse_body, parse_query
from app.api.fields import MAX_RATE_HZ, MIN_RATE_HZ, Body
from app.api.openai import speech_request
from app.api.responses import answer
from app.context import Context
from app.synthesis.voices import resolve_voice
from loader.text.front_end import without_region
from loader.voices.voice import MAX_SPEED, MIN_SPEED

telephony = Blueprint("telephony", __name__, url_prefix="/telephony")

_String = Annotated[str, Meta(extra={"expected": "a string"})]


@dataclass(frozen=True)
class JambonzBody:
    """What jambonz sends to a custom speech vendor."""

    text: _String
    voice: _String | None = None
    #: With its region, such as `en-US`; always there.
    language: _String | None = None
    type: Literal["text", "ssml"] | None = None


@dataclass(frozen=True)
class VapiMessage:
    """The message of Vapi's request for a custom voice."""

    text: _String
    sampleRate: Annotated[int, Meta(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)] = 24_000  # noqa: N815  Vapi's name


@dataclass(frozen=True)
class VapiBody:
    """What Vapi sends to the server of a custom voice."""

    #: A `VapiMessage`, with facts about the call.
    message: Annotated[dict[str, Any], Meta(extra={"expected": "an object with `text` and `sampleRate`"})]


@dataclass(frozen=True)
class UrlFields:
    """The fields of the URL that a platform is given."""

    voice: _String | None = None
    speaker: _String | None = None
    language: _String | None = None
    speed: Annotated[float, Meta(ge=MIN_SPEED, le=MAX_SPEED)] | None = None


@telephony.post("/jambonz")
def jambonz() -> Response:
    """Speak `text` as a whole MP3, the format that jambonz prefers."""
    body = parse_body(JambonzBody)
    return _spoken(Body(
        body["text"], text_format="ssml" if body["type"] == "ssml" else "plain", voice=body["voice"],
        language=_spoken_language(body["voice"], body["language"]), response_format="mp3", stream=False,
    ))  # fmt: skip


@telephony.post("/vapi")
def vapi() -> Response:
    """Speak the message's text as bare PCM of the rate that it names, streamed."""
    wanted = parse_query(UrlFields)
    message = check_fields(VapiMessage, parse_body(VapiBody)["message"])
    g.ignored_fields = []  # what it says about the call
    return _spoken(Body(
        message["text"], text_format="plain", response_format="pcm", stream=True, sample_rate=message["sampleRate"], **wanted
    ))  # fmt: skip


def _spoken(body: Body) -> Response:
    context: Context = current_app.extensions["chorus"]
    return answer(speech_request(context, dict(vars(body))), context)


def _spoken_language(voice: str | None, language: str | None) -> str | None:
    """Return the language as the voice has it, or None if it does not speak it: jambonz sends one for every voice."""
    context: Context = current_app.extensions["chorus"]
    if not language:
        return None
    found = resolve_voice(context.warm_up.catalogue, voice or None).voice if voice else None
    voices = [found] if found else context.warm_up.catalogue.voices
    for name in (language, without_region(language)):
        if any(each.speaks(name) for each in voices):
            return name
    g.ignored_fields = [*g.get("ignored_fields", ()), "language"]
    return None
