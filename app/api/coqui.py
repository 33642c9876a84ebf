"""The dialect of Coqui's own tts-server: `/api/tts`."""

from flask import Blueprint, Response, current_app, g, jsonify, request

from app.api.responses import answer
from app.api.validation import refuse_path, require_utf8
from app.context import Service
from app.errors import BadRequestError, MethodNotAllowedError, ServiceError
from app.scheduling.deadline import listener
from app.synthesis.request import Speaking, SpeechRequest, checked_text, chosen, chosen_seed
from loader.voices.catalog import Catalog

coqui = Blueprint("coqui", __name__, url_prefix="/api")


@coqui.route("/tts", methods=["GET", "POST"])
def tts() -> Response:
    """Speak `text` with the default voice and send a whole WAV file."""
    if request.method == "HEAD":  # Flask adds it to GET
        raise MethodNotAllowedError("HEAD would speak for nobody; use GET or POST", ("GET", "POST"))
    service: Service = current_app.extensions["chorus"]
    require_utf8(request.query_string, "text")
    require_utf8(request.get_data(), "text")
    for name in ("speaker_wav", "style_wav"):
        _refuse(name, "no file is ever read at a client's word; leave it out")
    return answer(
        SpeechRequest(
            text=checked_text(_text(), service.settings.limits, "text"),
            speaking=_speaking(service.catalogue),
            audio_format="wav",
            streamed=False,
            speed=1.0,
            seed=chosen_seed(None),
            request_id=g.request_id,
        ),
        service,
        listener(request.environ),
    )


def error_response(error: ServiceError) -> Response:
    """Return Coqui's error: one string."""
    return jsonify(error=error.message)


def _speaking(catalogue: Catalog) -> Speaking:
    """Return who is to speak. As in Coqui's server, nobody chooses where there is but one of a thing."""
    speaker, language = _parameter("speaker_id"), _parameter("language_id")
    refuse_path(speaker, catalogue.default.speakers, "speaker_id")
    if len(catalogue.voices) == 1:
        speaker = speaker if len(catalogue.default.speakers) > 1 else ""
        language = language if len(catalogue.default.languages) > 1 else ""
    return chosen(catalogue, None, speaker, language)


def _parameter(name: str) -> str:
    """Read a parameter as Coqui does: from a header first, then from the query or the form."""
    return _as_sent(request.headers.get(name.replace("_", "-"), "")) or request.values.get(name, "")


def _text() -> str:
    text = _parameter("text")
    if not text and request.is_json:
        raise BadRequestError("text is missing; this endpoint takes it as query, form or header, not as JSON", "text")
    return text


def _as_sent(header: str) -> str:
    """Return a header as UTF-8 where it is that; WSGI reads every header as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return header


def _refuse(name: str, remedy: str) -> None:
    value = _parameter(name)
    if value:
        raise BadRequestError(f"{name} is {value[:80]!r}; {remedy}", name)
