"""The dialect of Coqui's own tts-server: `/api/tts`. Its parameters are checked as MaryTTS's are."""

import json
from collections.abc import Container

from flask import Blueprint, Response, current_app, g, jsonify, request

from app.api.bodies import require_utf8, take_text
from app.api.responses import answer
from app.context import Context
from app.errors import BadRequestError, ServiceError
from app.synthesis.markup import parse_source, require_voice
from app.synthesis.request import SpeechRequest
from app.synthesis.voices import ResolvedVoice, resolve_rows
from loader.voices.catalog import Catalog
from loader.voices.voice import SpeechOptions, random_seed

coqui = Blueprint("coqui", __name__, url_prefix="/api")


@coqui.route("/tts", methods=["GET", "POST"])
def tts() -> Response:
    """Speak `text` with the default voice and send a whole WAV file."""
    context: Context = current_app.extensions["chorus"]
    require_utf8(request.query_string, "text")
    require_utf8(request.get_data(), "text")
    _refuse_files()
    text, catalogue = take_text(_text()), context.warm_up.catalogue
    script, found = parse_source(text, context.settings, "text"), _resolve_voice(catalogue)
    require_voice(script, found.voice, catalogue, "text")
    options = SpeechOptions(random_seed(), speaker=found.speaker, language=found.language)
    return answer(SpeechRequest(text, found.voice, options, "wav", g.request_id, script=script), context)


def _refuse_files() -> None:
    """Refuse what names a file of the server. Coqui's page sends weights of style tokens, which no voice here has.

    Raises:
        BadRequestError: with the value.
    """
    for name in ("speaker_wav", "style_wav"):
        value = _parameter(name)
        if name == "style_wav" and _are_weights(value):
            g.ignored_fields = [name]
        elif value:
            raise BadRequestError(f"{name} is {value[:80]!r}; clients cannot have files read here, leave it out", name)


def _are_weights(value: str) -> bool:
    """Whether a value is an object of numbers, such as `{"0": 0.1}`."""
    try:
        weights = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return isinstance(weights, dict) and all(isinstance(each, int | float) for each in weights.values())


def error_response(error: ServiceError) -> Response:
    """Return Coqui's error: one string."""
    return jsonify(error=error.message)


def refuse_path(value: str, known: Container[str], parameter: str) -> None:
    """Refuse a value that looks like a path, unless it is a known name.

    Raises:
        BadRequestError: with the value.
    """
    if ("/" in value or "\\" in value) and value not in known:
        raise BadRequestError(f"{parameter} is {value[:80]!r}, expected a name; clients cannot have files read here", parameter)


def _resolve_voice(catalogue: Catalog) -> ResolvedVoice:
    """Resolve the speaker and the language. As in Coqui's server, they are ignored if there is only one to choose."""
    speaker, language = _parameter("speaker_id"), _parameter("language_id")
    refuse_path(speaker, catalogue.default.speakers, "speaker_id")
    if len(catalogue.voices) == 1:
        speaker = speaker if len(catalogue.default.speakers) > 1 else ""
        language = language if len(catalogue.default.languages) > 1 else ""
    return resolve_rows(catalogue, None, speaker, language)


def _parameter(name: str) -> str:
    """Read a parameter as Coqui does: from a header first, then from the query or the form."""
    return _decode_header(request.headers.get(name.replace("_", "-"), "")) or request.values.get(name, "")


def _text() -> str:
    text = _parameter("text")
    if not text and request.is_json:
        raise BadRequestError("text is missing; this endpoint takes it as query, form or header, not as JSON", "text")
    return text


def _decode_header(header: str) -> str:
    """Return a header decoded as UTF-8 if it is valid; WSGI decodes every header as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return header
