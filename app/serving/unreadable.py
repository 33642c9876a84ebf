"""What gunicorn refuses while it reads a request, as an error of ours, and the answer that says it.

gunicorn's own messages quote what the client sent, and with it texts and keys, for its page, its log and, if a body is
read, our record of the last failure. Ours name the rule that was broken.
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

#: Where the application finds an error that was met before it was called.
ENVIRON_KEY = "chorus.unread"

#: A path that nothing is at, which is logged and counted as such.
_NOWHERE = "/*"
_READ = MalformedRequestError
#: The first class that fits decides. A test says when gunicorn has a new one.
_REFUSALS: tuple[tuple[str, type[BadRequestError], str], ...] = (
    ("InvalidRequestLine", _READ, "the request line cannot be read; send `METHOD /path HTTP/1.1`, the path percent-encoded"),
    ("InvalidRequestMethod", _READ, "the method is none of HTTP; send it in capitals, as GET or POST"),
    ("InvalidHTTPVersion", _READ, "the version of HTTP is not spoken here; send HTTP/1.1 or HTTP/1.0"),
    ("InvalidH2CPreface", _READ, "HTTP/2 is not spoken here; send HTTP/1.1"),
    ("InvalidHeaderName", _READ, "the name of a header or trailer is not allowed; send letters, digits and hyphens"),
    ("InvalidHeader", _READ, "a header or trailer cannot be read, is there twice or contradicts another; send each once"),
    ("ObsoleteFolding", _READ, "a header goes on in a second line; send each in one line"),
    ("InvalidSchemeHeaders", _READ, "headers contradict each other about http and https; send one"),
    ("UnsupportedTransferCoding", _READ, "the Transfer-Encoding is unknown; send `chunked`"),
    ("ExpectationFailed", ExpectationFailedError, "Expect has an unknown value; send `100-continue`"),
    ("LimitRequestLine", RequestLineTooLongError, "the request line is over 8190 bytes; send long texts by POST"),
    ("LimitRequestHeaders", HeadersTooLargeError, "over 100 headers or trailers, or one is over 8190 bytes; send fewer"),
    ("InvalidProxyLine", _READ, "the line of the PROXY protocol cannot be read"),
    ("InvalidProxyHeader", _READ, "the header of the PROXY protocol cannot be read"),
    ("ForbiddenProxyRequest", _READ, "the PROXY protocol is not allowed from this address"),
    ("InvalidChunkSize", _READ, "a chunk of the body has no size that can be read; send it in hexadecimal, and CRLF"),
    ("InvalidChunkExtension", _READ, "a chunk of the body has an extension that cannot be read; leave it out"),
    ("ChunkMissingTerminator", _READ, "a chunk of the body is not as long as its size says, or has no CRLF after it"),
)  # fmt: skip
#: Parse errors that are not the client's: of the configuration, and of headers that the application sends.
OURS = ("ConfigurationProblem", "InvalidResponseHeader", "InvalidResponseHeaderName")

#: The class above all that gunicorn raises for what it cannot read.
ParseError: type[Exception] = gunicorn_errors.ParseException


def refusal_of(error: BaseException) -> BadRequestError | None:
    """Return the error for the client whose request gunicorn could not read; None if the client is not at fault."""
    if any(isinstance(error, getattr(gunicorn_errors, name)) for name in OURS):
        return None
    for name, kind, message in _REFUSALS:
        if isinstance(error, getattr(gunicorn_errors, name)):
            return kind(message)
    return MalformedRequestError("the request cannot be read") if isinstance(error, ParseError) else None


def answer_without_request(application: Callable[..., Iterable[bytes]], error: ServiceError, method: str, path: str) -> bytes:
    """Return the whole answer that says `error`, made by the application as if it had met it itself.

    It is in the words of the path's dialect, has a request id, and is logged and counted.

    Args:
        application: ours, which raises what it finds under `ENVIRON_KEY`.
        error: what to say.
        method: of the request, as far as it is known.
        path: of the request, without the query; empty if it is not known.
    """
    environ = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path or _NOWHERE, "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False, ENVIRON_KEY: error,
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
