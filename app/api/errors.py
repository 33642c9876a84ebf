"""Error responses, in the format of the dialect that was used."""

from collections.abc import Callable

from flask import Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, RequestEntityTooLarge

from app.api import coqui, marytts, openai
from app.errors import (
    BadRequestError,
    BodyTooLargeError,
    MethodNotAllowedError,
    NotFoundError,
    RequestTimeoutError,
    ServiceError,
    UnsupportedMediaTypeError,
)
from app.scheduling.client_socket import SlowClientError


def error_response(error: ServiceError) -> Response:
    """Return the response for `error`, with when and whether to try again."""
    response = _format_of(request.path)(error)
    response.status_code = error.status
    response.headers.update(error.headers())
    return response


def translate(error: HTTPException, body_bytes: int) -> ServiceError:
    """Translate an error of Flask or werkzeug to one of ours.

    Args:
        error: what was raised.
        body_bytes: the maximum size of a body.
    """
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLargeError(f"the body is over {body_bytes} bytes; send the text in parts")
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


def _format_of(path: str) -> Callable[[ServiceError], Response]:
    if path.startswith("/api/"):
        return coqui.error_response
    return marytts.error_response if path in marytts.PATHS else openai.error_response
