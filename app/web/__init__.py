"""The web page at `/`, and that of the HTTP API at `/reference`: static files of this folder, served without a build step.

The pages load nothing from other servers.
"""

from pathlib import Path

from flask import Blueprint, Response, abort, request

page = Blueprint("page", __name__)

_FOLDER = Path(__file__).resolve().parent
_INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # Text and voice names cannot inject scripts or requests to other hosts.
    "Content-Security-Policy": "; ".join((
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    )),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Cached, but revalidated each time: an upgraded server's page shows at once.
    "Cache-Control": "no-cache",
}  # fmt: skip


@page.get("/")
def index() -> Response:
    """Return the page."""
    return _file(_INDEX)


@page.get("/reference")
def reference() -> Response:
    """Return the page of the HTTP API."""
    return _file("reference.html")


@page.get("/page/<name>")
def asset(name: str) -> Response:
    """Return a script, style sheet or image of the page."""
    return _file(name)


def _file(name: str) -> Response:
    """Return a file with a content hash as ETag, or 304; other names are 404."""
    path = _FOLDER / name
    content_type = _TYPES.get(path.suffix)
    # is_file() raises OSError for names over 255 bytes.
    is_valid = len(name.encode()) <= 255
    if not is_valid or content_type is None or path.parent != _FOLDER or not path.is_file():
        abort(404, f"the page has no file {name[:40]!r}")
    response = Response(path.read_bytes(), headers=_HEADERS, content_type=content_type)
    response.add_etag()
    response.make_conditional(request)
    return response
