"""Request errors: each of gunicorn's parse errors as a `ServiceError`, and an answer to a request that was never parsed.

gunicorn's own messages quote what the client sent, including texts and keys, in its error page and its log, and an error
that is raised while a body is read ends in our record of the last failure. Ours name the rule that was broken.
"""

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.http import errors as gunicorn_errors

from app.errors import (
    BadRequestError,
    ExpectationFailedError,
    HeadersTooLargeError,
    MalformedRequestError,
    RequestLineTooLongError,
    ServiceError,
)

#: The key of the WSGI environment under which the application finds an error that was found before it was called.
ENVIRON_KEY = "chorus.unread"

#: A path without a route, logged and counted as such.
_NOWHERE = "/*"
_READ = MalformedRequestError
#: The first class that matches decides. A test fails when gunicorn has a new one.
_REFUSALS: tuple[tuple[str, type[BadRequestError], str], ...] = (
    ("InvalidRequestLine", _READ, "the request line is malformed; send `METHOD /path HTTP/1.1`, the path percent-encoded"),
    ("InvalidRequestMethod", _READ, "the method is invalid; send it in capitals, such as GET or POST"),
    ("InvalidHTTPVersion", _READ, "this version of HTTP is not supported; send HTTP/1.1 or HTTP/1.0"),
    ("InvalidH2CPreface", _READ, "HTTP/2 is not supported; send HTTP/1.1"),
    ("InvalidHeaderName", _READ, "the name of a header or trailer is not allowed; send letters, digits and hyphens"),
    ("InvalidHeader", _READ, "a header or trailer is malformed, repeated or contradicts another; send each once"),
    ("ObsoleteFolding", _READ, "a header continues on a second line; send each on one line"),
    ("InvalidSchemeHeaders", _READ, "headers contradict each other about http and https; send one"),
    ("UnsupportedTransferCoding", _READ, "the Transfer-Encoding is unknown; send `chunked`"),
    ("ExpectationFailed", ExpectationFailedError, "Expect has an unknown value; send `100-continue`"),
    ("LimitRequestLine", RequestLineTooLongError, "the request line is over 8190 bytes; send long texts by POST"),
    ("LimitRequestHeaders", HeadersTooLargeError, "over 100 headers or trailers, or one is over 8190 bytes; send fewer"),
    ("InvalidProxyLine", _READ, "the line of the PROXY protocol is malformed"),
    ("InvalidProxyHeader", _READ, "the header of the PROXY protocol is malformed"),
    ("ForbiddenProxyRequest", _READ, "the PROXY protocol is not allowed from this address"),
    ("InvalidChunkSize", _READ, "a chunk of the body has an invalid size; send it in hexadecimal, and CRLF"),
    ("InvalidChunkExtension", _READ, "a chunk of the body has a malformed extension; leave it out"),
    ("ChunkMissingTerminator", _READ, "a chunk of the body is not as long as its size, or has no CRLF after it"),
)  # fmt: skip
#: Parse errors that are not the client's fault: of the configuration, and of headers that the application sends.
OURS = ("ConfigurationProblem", "InvalidResponseHeader", "InvalidResponseHeaderName")

#: The base class of gunicorn's parse errors.
ParseError: type[Exception] = gunicorn_errors.ParseException


def refusal_of(error: BaseException) -> BadRequestError | None:
    """Return the error for the client whose request gunicorn could not parse; None if the client is not at fault."""
    if any(isinstance(error, getattr(gunicorn_errors, name)) for name in OURS):
        return None
    for name, kind, message in _REFUSALS:
        if isinstance(error, getattr(gunicorn_errors, name)):
            return kind(message)
    return MalformedRequestError("the request is malformed") if isinstance(error, ParseError) else None


def answer_without_request(
    application: Callable[..., Iterable[bytes]], error: ServiceError, method: str, path: str, origin: str = ""
) -> bytes:
    """Return a complete HTTP answer with `error`, made by the application as if it had raised the error itself.

    It has the form of the path's dialect and a request id, and it is logged and counted.

    Args:
        application: raises the error that it finds under `ENVIRON_KEY`.
        error: of the request.
        method: of the request; GET if it is unknown.
        path: of the request, without the query; empty if it is unknown.
        origin: of the page that sent the request; empty if it is unknown.
    """
    environ = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path or _NOWHERE, "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False, ENVIRON_KEY: error, **({"HTTP_ORIGIN": origin} if origin else {}),
    }  # fmt: skip
    head: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        head[:] = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]

    pieces = application(environ, start_response)
    try:
        body = b"".join(pieces)
    finally:
        getattr(pieces, "close", lambda: None)()
    return "\r\n".join(head).encode("latin-1") + body
