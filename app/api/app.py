"""The Flask application: routes of all dialects, one table of errors, a request id for every line."""

import logging
import re
import secrets
import time

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.api import captions, catalog, coqui, marytts, metrics, openai, status
from app.api.auth import require_key
from app.api.errors import refusal, translated
from app.context import Service
from app.errors import ServiceError, UnsupportedMediaTypeError
from app.logs import event, follow_trace, place_of, trace_id_of
from app.scheduling.deadline import WAITED_KEY
from app.scheduling.proxy_clock import ProxyClock
from app.scoreboard.layout import ROUTES
from app.serving.request_errors import ENVIRON_KEY, ParseError, refusal_of
from app.web import page

log = logging.getLogger("chorus.http")

#: Every dialect, and what is no dialect.
BLUEPRINTS = (
    openai.openai, captions.captions, catalog.listings, coqui.coqui, marytts.marytts, marytts.marytts_listings,
    status.status, metrics.metrics, page,
)  # fmt: skip
#: Blueprints whose answers are not counted under their own name.
_COUNTED_AS = {"openai": "speech", "marytts_listings": "listings", "metrics": "status"}
_REQUEST_ID = re.compile(r"^[\w.:/-]{1,128}$", re.ASCII)


def create_app(service: Service) -> Flask:
    """Return the WSGI application over `service`. Opens nothing; runs in the master where `preload` is on."""
    flask = Flask("chorus", static_folder=None)
    flask.extensions["chorus"] = service
    flask.url_map.strict_slashes = False
    # werkzeug would redirect `//path` to a URL of whatever host the client has named.
    flask.url_map.merge_slashes = False
    flask.config["MAX_CONTENT_LENGTH"] = service.settings.limits.body_bytes
    flask.config["MAX_FORM_MEMORY_SIZE"] = service.settings.limits.body_bytes
    for blueprint in BLUEPRINTS:
        flask.register_blueprint(blueprint)
    proxy_clock = ProxyClock(lambda: service.hands.seat.distrusted_start())

    def note_wait() -> None:
        request.environ[WAITED_KEY] = proxy_clock.waited_s(request.headers.get("X-Request-Start", ""), time.time())

    for before in (_name_request, _refuse_unread, note_wait, require_key, _refuse_coded_body, _refuse_endless_body):
        flask.before_request(before)
    flask.after_request(_echo_request_id)
    flask.after_request(_count)
    flask.register_error_handler(ServiceError, _refuse)
    flask.register_error_handler(HTTPException, _refuse_as_flask_does)
    flask.register_error_handler(ParseError, _refuse_unreadable_body)
    flask.register_error_handler(Exception, _fail)
    return flask


def _name_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
    follow_trace(trace_id_of(request.headers.get("traceparent", "")))


def _refuse_unread() -> None:
    """Refuse what was found wrong before there was a request: its head, or its body, could not be read."""
    error: ServiceError | None = request.environ.get(ENVIRON_KEY)
    if error is not None:
        raise error


def _refuse_coded_body() -> None:
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise UnsupportedMediaTypeError(f"Content-Encoding is {coding[:40]!r}; send the body as it is, without one")


def _refuse_endless_body() -> None:
    """Refuse a body of undeclared length at the limit, where werkzeug would cut it and go on."""
    limit_bytes = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None and len(request.get_data()) >= limit_bytes:
        raise RequestEntityTooLarge


def _echo_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    return response


def _count(response: Response) -> Response:
    service: Service = current_app.extensions["chorus"]
    route = _COUNTED_AS.get(request.blueprint or "", request.blueprint)
    service.hands.seat.answered(route if route in ROUTES else "other", response.status_code)
    return response


def known_path() -> str:
    """Return the request's path if there is one like it here, with the names of its variables; else `other`.

    What a client sends as a path may be its text: `/api/tts%3Ftext=...` is one mistake away.
    """
    if request.url_rule is not None:
        return request.url_rule.rule
    return request.path if any(rule.rule == request.path for rule in current_app.url_map.iter_rules()) else "other"


def _refuse(error: ServiceError) -> Response:
    event(
        log, "request.refused", request_id=g.get("request_id"), path=known_path(), status=error.status,
        code=error.code, parameter=error.parameter,
    )  # fmt: skip
    return refusal(error)


def _refuse_as_flask_does(error: HTTPException) -> Response:
    return _refuse(translated(error, current_app.config["MAX_CONTENT_LENGTH"]))


def _refuse_unreadable_body(error: Exception) -> Response:
    """Answer for a body that gunicorn could not read; it reads chunks, and trailers, only when they are asked for."""
    refused = refusal_of(error)
    return _fail(error) if refused is None else _refuse(refused)


def _fail(error: Exception) -> Response:
    """Answer for a defect of ours: the traceback goes to the log, an id to the client."""
    log.error("request.failed", exc_info=error, extra={"request_id": g.get("request_id"), "path": known_path()})
    current_app.extensions["chorus"].hands.seat.failed(f"{type(error).__name__} at {place_of(error)}")
    return _refuse(ServiceError(f"internal error; the log has it under request id {g.get('request_id')}"))
