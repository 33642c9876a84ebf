"""CORS: pages of the configured origins may read every answer, and their preflights are answered before anything else.

flask-cors 6.0.5 (970 lines, one maintainer) was tried on paper and not taken: it decorates Flask's own answer to OPTIONS, which
comes after our hooks and is 401 without a key; and it guesses from their characters which of the origins are regular
expressions. No origin is a pattern here.
"""

import re

from flask import Flask, Response, current_app, request

from app.context import Context

#: How long a browser may keep the answer to a preflight: Chromium's own limit.
MAX_AGE_S = 7_200
#: Headers that scripts of another origin may read, beside those that browsers always show. A constant, since a 304 replaces the
#: list of the answer that the browser has kept. `X-Cache` is nginx's.
EXPOSED = (
    "Accept-Ranges", "Allow", "Content-Disposition", "Content-Range", "ETag", "Retry-After", "WWW-Authenticate", "X-Cache",
    "X-Dropped-Characters", "X-Ignored-Fields", "X-Ignored-Markup", "X-Release", "X-Release-Version", "X-Request-ID",
    "X-Revision", "X-Sample-Rate", "X-Seed", "X-Unspeakable", "retry-after-ms", "x-should-retry",
)  # fmt: skip
_ANY = "*"
#: Names of headers, with commas; it is sent back.
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]{1,80}(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]{1,80}){0,63}", re.ASCII)


def answer_preflight() -> Response | None:
    """Return the answer to a preflight of any path, before its key, its body and its voice matter; None for other requests.

    A page whose origin is not listed gets the same answer without the header that would let it go on.
    """
    origins = _origins()
    method = request.headers.get("Access-Control-Request-Method")
    if not origins or request.method != "OPTIONS" or method is None or "Origin" not in request.headers:
        return None
    response = Response(status=204)
    if _allowed(origins) is not None:
        response.headers["Access-Control-Allow-Methods"] = ", ".join(_methods(current_app))
        names = request.headers.get("Access-Control-Request-Headers", "").strip()
        if _HEADER_NAMES.fullmatch(names):
            response.headers["Access-Control-Allow-Headers"] = names
        response.headers["Access-Control-Max-Age"] = str(MAX_AGE_S)
    response.vary.update(("Access-Control-Request-Method", "Access-Control-Request-Headers"))
    return response


def set_cors_headers(response: Response) -> Response:
    """Let the page that asked read the answer, an error too, if its origin is listed."""
    origins = _origins()
    if not origins:
        return response
    if _ANY not in origins:
        # On every answer, so that no cache gives a page the answer of another one.
        response.vary.add("Origin")
    allowed = _allowed(origins)
    if allowed is not None:
        response.headers["Access-Control-Allow-Origin"] = allowed
        response.headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
    return response


def _origins() -> tuple[str, ...]:
    context: Context = current_app.extensions["chorus"]
    return context.settings.cors_origins


def _allowed(origins: tuple[str, ...]) -> str | None:
    """Return the value of `Access-Control-Allow-Origin`; None if the request's origin is not listed."""
    if _ANY in origins:
        return _ANY
    origin = request.headers.get("Origin", "")
    return origin if origin in origins else None


def _methods(flask: Flask) -> list[str]:
    """Return the methods that any path accepts: a page can then read the 405 of the others."""
    return sorted({method for rule in flask.url_map.iter_rules() for method in rule.methods or ()})
