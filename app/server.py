"""The Flask application: routes of all dialects, one table of errors, a request id for every line."""

import logging
import re
import secrets

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.api import coqui, listings, openai, status
from app.errors import BadRequestError, BodyTooLargeError, MethodNotAllowedError, NotFoundError, ServiceError
from app.logs import event
from app.service import Service

log = logging.getLogger("chorus.http")

_REQUEST_ID = re.compile(r"^[\w.:/-]{1,128}$", re.ASCII)


def create_app(service: Service) -> Flask:
    """Return the WSGI application over `service`. Opens nothing; runs in the master where `preload` is on."""
    flask = Flask("chorus", static_folder=None)
    flask.extensions["chorus"] = service
    flask.config["MAX_CONTENT_LENGTH"] = service.settings.limits.body_bytes
    flask.config["MAX_FORM_MEMORY_SIZE"] = service.settings.limits.body_bytes
    for blueprint in (openai.openai, listings.listings, coqui.coqui, status.status):
        flask.register_blueprint(blueprint)
    flask.before_request(_name_request)
    flask.before_request(_refuse_endless_body)
    flask.after_request(_echo_request_id)
    flask.register_error_handler(ServiceError, _refuse)
    flask.register_error_handler(HTTPException, lambda error: _refuse(_translated(error, service)))
    flask.register_error_handler(Exception, _fail)
    return flask


def _name_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)


def _refuse_endless_body() -> None:
    """Refuse a body of undeclared length at the limit, where werkzeug would cut it and go on."""
    limit_bytes = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None and len(request.get_data()) >= limit_bytes:
        raise RequestEntityTooLarge


def _echo_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    return response


def _refuse(error: ServiceError) -> Response:
    event(
        log, "request.refused", request_id=g.get("request_id"), path=request.path[:80], status=error.status,
        code=error.code, parameter=error.parameter,
    )  # fmt: skip
    in_coquis_words = request.path.startswith("/api/")
    response = coqui.error_response(error) if in_coquis_words else openai.error_response(error)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _fail(error: Exception) -> Response:
    """Answer for a defect of ours: the traceback goes to the log, an id to the client."""
    log.error("request.failed", exc_info=error, extra={"request_id": g.get("request_id"), "path": request.path[:80]})
    return _refuse(ServiceError(f"internal error; the log has it under request id {g.get('request_id')}"))


def _translated(error: HTTPException, service: Service) -> ServiceError:
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLargeError(f"the body is over {service.settings.limits.body_bytes} bytes; send the text in parts")
    known: dict[int | None, type[ServiceError]] = {404: NotFoundError, 405: MethodNotAllowedError}
    if error.code is not None and error.code >= 500:
        return ServiceError("internal error")
    return known.get(error.code, BadRequestError)(error.description or "bad request")
