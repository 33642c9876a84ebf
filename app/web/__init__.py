"""The page at `/` and what it is made of: files of this folder, sent as they are. Knows no voice and no dialect.

The files are the page's source: nothing builds or bundles them, and none refers to
anything outside this server.
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
    # Whatever text or voice name finds its way into the page, it runs nothing and reaches nobody else.
    "Content-Security-Policy": "; ".join((
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    )),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Kept, but asked after every time: a server that was replaced shows its own page at once.
    "Cache-Control": "no-cache",
}  # fmt: skip


@page.get("/")
def index() -> Response:
    """Send the page."""
    return _sent(_INDEX)


@page.get("/page/<name>")
def part(name: str) -> Response:
    """Send one of the files that the page refers to."""
    return _sent(name)


def _sent(name: str) -> Response:
    """Return the file, or that the client has it already: the tag is of its content, equal on every machine."""
    path = _FOLDER / name
    content_type = _TYPES.get(path.suffix)
    # No file system has longer names; asking for one is an error of its own.
    is_name = len(name.encode()) <= 255
    if not is_name or content_type is None or path.parent != _FOLDER or not path.is_file():
        abort(404, f"no part of the page is called {name[:40]!r}")
    response = Response(path.read_bytes(), headers=_HEADERS, content_type=content_type)
    response.add_etag()
    response.make_conditional(request)
    return response
