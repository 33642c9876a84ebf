"""The Flask application: routes of all dialects, checks before each request, and error answers in the dialect's format."""

import logging
import re
import secrets
from collections.abc import Callable

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, RequestEntityTooLarge

from app.api import catalog, coqui, marytts, openai, openapi, status, telephony
from app.api.auth import require_key
from app.api.cors import answer_preflight, set_cors_headers
from app.api.responses import set_common_headers
from app.context import Context
from app.errors import (
    ERROR_KEY,
    BadRequestError,
    BodyTooLargeError,
    MethodNotAllowedError,
    NotFoundError,
    RequestTimeoutError,
    ServiceError,
    SpeechFailedError,
    UnsupportedMediaTypeError,
    VoiceNotServedError,
)
from app.logs import event, follow_trace, place_of, trace_id_of
from app.scheduling.client_socket import SlowClientError
from app.scoreboard.layout import ROUTES
from app.serving.request_errors import ENVIRON_KEY, ParseError, refusal_of
from app.web import page
from loader.errors import IntegrityError, UnavailableVoiceError

log = logging.getLogger("chorus.http")

#: The dialects, the probes and the page.
BLUEPRINTS = (
    openai.openai, openai.captions, openai.explanations, catalog.listings, coqui.coqui, marytts.marytts, marytts.marytts_listings,
    telephony.telephony, status.status, openapi.openapi, page,
)  # fmt: skip
#: Blueprints whose answers are counted under another name.
_COUNTED_AS = {"openai": "speech", "telephony": "speech", "marytts_listings": "listings", "openapi": "listings"}
#: The folders of an absolute path, up to its last part.
_FOLDER = re.compile(r"(?<![\w.~-])/(?:[^/\n:;,'\"]*/)*")
_REQUEST_ID = re.compile(r"^[\w.:/-]{1,128}$", re.ASCII)


def create_app(context: Context) -> Flask:
    """Return the WSGI application over `context`. Opens nothing; runs in the master if `preload` is on."""
    flask = Flask("chorus", static_folder=None)
    flask.extensions["chorus"] = context
    flask.url_map.strict_slashes = False
    # werkzeug would redirect `//path` to a URL of the host that the client has named.
    flask.url_map.merge_slashes = False
    flask.config["MAX_CONTENT_LENGTH"] = context.settings.limits.body_bytes
    flask.config["MAX_FORM_MEMORY_SIZE"] = context.settings.limits.body_bytes
    for blueprint in BLUEPRINTS:
        flask.register_blueprint(blueprint)
    for before in (
        _set_request_id, _refuse_unread, answer_preflight, _measure_proxy_wait, _require_key, _refuse_coded_body,
        _refuse_endless_body,
    ):  # fmt: skip
        flask.before_request(before)
    flask.after_request(set_cors_headers)
    flask.after_request(set_common_headers)
    flask.after_request(_count)
    flask.register_error_handler(ServiceError, _refuse)
    flask.register_error_handler(HTTPException, _refuse_http_exception)
    flask.register_error_handler(ParseError, _refuse_unreadable_body)
    flask.register_error_handler(IntegrityError, _fail_damaged)
    flask.register_error_handler(UnavailableVoiceError, _refuse_missing_voice)
    flask.register_error_handler(Exception, _fail)
    return flask


def _set_request_id() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
    follow_trace(trace_id_of(request.headers.get("traceparent", "")))


def _refuse_unread() -> None:
    """Refuse a request whose head or body could not be read."""
    error: ServiceError | None = request.environ.get(ENVIRON_KEY)
    if error is not None:
        raise error


def _measure_proxy_wait() -> None:
    _context().proxy_clock.measure(request.environ)


def _require_key() -> None:
    if request.endpoint is not None:  # an unknown path needs no key
        require_key(_context().settings.api_keys, request.blueprint, request.method, request.headers.get)


def _refuse_coded_body() -> None:
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise UnsupportedMediaTypeError(f"Content-Encoding is {coding[:40]!r}; send the body as it is, without one")


def _refuse_endless_body() -> None:
    """Refuse a body of undeclared length at the limit; werkzeug would truncate it."""
    limit_bytes = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None and len(request.get_data()) >= limit_bytes:
        raise RequestEntityTooLarge


def _count(response: Response) -> Response:
    route = _COUNTED_AS.get(request.blueprint or "", request.blueprint)
    _context().slot.count_answer(route if route in ROUTES else "other", response.status_code)
    return response


def known_path() -> str:
    """Return the request's path with the names of its variables; `other` if no route has it.

    An unknown path may hold the client's text: `/api/tts%3Ftext=...` is one mistake away.
    """
    if request.url_rule is not None:
        return request.url_rule.rule
    return request.path if any(rule.rule == request.path for rule in current_app.url_map.iter_rules()) else "other"


def _refuse(error: ServiceError) -> Response:
    event(
        log, "request.refused", request_id=g.get("request_id"), path=known_path(), status=error.status,
        code=error.code, parameter=error.parameter,
    )  # fmt: skip
    request.environ[ERROR_KEY] = error.code
    response = _format_of(request.path)(error)
    response.status_code = error.status
    response.headers.update(error.headers())
    return response


def _format_of(path: str) -> Callable[[ServiceError], Response]:
    """Return what formats an error in the dialect of the path."""
    if path.startswith("/api/"):
        return coqui.error_response
    return marytts.error_response if path in marytts.PATHS else openai.error_response


def _refuse_http_exception(error: HTTPException) -> Response:
    return _refuse(_translate(error))


def _translate(error: HTTPException) -> ServiceError:
    """Translate an error of Flask or werkzeug to one of ours."""
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLargeError(f"the body is over {current_app.config['MAX_CONTENT_LENGTH']} bytes; send the text in parts")
    if isinstance(error, ClientDisconnected) and isinstance(error.__context__, SlowClientError):
        return RequestTimeoutError(f"the body did not arrive in time: {error.__context__.strerror}")
    if isinstance(error, MethodNotAllowed):
        allowed = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
        return MethodNotAllowedError(f"{request.method} is not for this path; use {' or '.join(allowed)}", allowed)
    if error.code is None or error.code >= 500:
        return ServiceError("internal error")
    if error.code == 404:
        return NotFoundError(f"nothing is at {request.path[:80]!r}; POST /v1/audio/speech speaks, GET /v1/models lists voices")
    known: dict[int, type[BadRequestError]] = {415: UnsupportedMediaTypeError}
    return known.get(error.code, BadRequestError)(error.description or "bad request")


def _refuse_unreadable_body(error: Exception) -> Response:
    """Refuse a body that gunicorn could not parse; it reads chunks and trailers on demand."""
    refused = refusal_of(error)
    return _fail(error) if refused is None else _refuse(refused)


def _refuse_missing_voice(error: UnavailableVoiceError) -> Response:
    """Refuse a voice that could not be opened, with the reason, but without the server's paths."""
    reason = _FOLDER.sub("", str(error.reason).partition("\n")[0])
    return _refuse(VoiceNotServedError(f"voice {error.name!r} could not be opened: {reason}", "voice"))


def _fail(error: Exception) -> Response:
    """Answer after a defect of ours: the traceback goes to the log, an id to the client."""
    log.error("request.failed", exc_info=error, extra={"request_id": g.get("request_id"), "path": known_path()})
    _context().slot.set_error(f"{type(error).__name__} at {place_of(error)}")
    return _refuse(ServiceError(f"internal error; the log has it under request id {g.get('request_id')}"))


def _fail_damaged(error: IntegrityError) -> Response:
    """Answer for a voice that was to be opened now, and whose files are not what they were."""
    event(log, "voice.damaged", logging.ERROR, request_id=g.get("request_id"), reason=str(error))
    _context().slot.set_error(f"IntegrityError of {error.path}")
    return _refuse(SpeechFailedError("the files of this voice are damaged; it cannot speak before they are made or copied again"))


def _context() -> Context:
    context: Context = current_app.extensions["chorus"]
    return context
