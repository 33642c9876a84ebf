"""The dialect of Coqui's own tts-server: `/api/tts`."""

from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, current_app, g, jsonify, request

from app.audio import answer
from app.errors import BadRequestError, MethodNotAllowedError, ServiceError
from app.listener import listener
from app.service import Service
from app.speech import SpeechRequest, checked_text, chosen, chosen_seed

coqui = Blueprint("coqui", __name__, url_prefix="/api")


@coqui.route("/tts", methods=["GET", "POST"])
def tts() -> Response:
    """Speak `text` with the default voice and send a whole WAV file."""
    if request.method == "HEAD":  # Flask adds it to GET
        raise MethodNotAllowedError("HEAD would speak for nobody; use GET or POST")
    service: Service = current_app.extensions["chorus"]
    _require_utf8(request.query_string)
    _require_utf8(request.get_data())
    for name in ("speaker_wav", "style_wav"):
        _refuse(name, "no file is ever read at a client's word; leave it out")
    return answer(
        SpeechRequest(
            text=checked_text(_parameter("text"), service.settings.limits, "text"),
            speaking=chosen(service.catalogue, None, _parameter("speaker_id"), _parameter("language_id")),
            audio_format="wav",
            streamed=False,
            speed=1.0,
            seed=chosen_seed(None),
            request_id=g.request_id,
        ),
        service.heap,
        listener(request.environ),
    )


def error_response(error: ServiceError) -> Response:
    """Return Coqui's error: one string."""
    response = jsonify(error=error.message)
    response.status_code = error.status
    return response


def _parameter(name: str) -> str:
    """Read a parameter as Coqui does: from a header first, then from the query or the form."""
    return request.headers.get(name.replace("_", "-")) or request.values.get(name, "")


def _require_utf8(encoded: bytes) -> None:
    try:
        unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the parameters are not UTF-8 (byte {error.start}); encode them so", "text") from error


def _refuse(name: str, remedy: str) -> None:
    value = _parameter(name)
    if value:
        raise BadRequestError(f"{name} is {value[:80]!r}; {remedy}", name)
