"""Conditional requests for speech: `ETag` and `If-None-Match`, `Range`, and the policy of GET and HEAD.

The bytes of an answer are known by name before they are made: seed, text, voice and release decide them. A client that has
them already gets a 304 without any work.

`Range` is parsed by werkzeug. Its `make_conditional` is not used: it reads and drops what is before the range, answers 416 to
several ranges and to units that it does not know, which RFC 9110 has ignored, and takes weak tags in `If-Range`.
"""

from dataclasses import dataclass, replace

from flask import Response, request
from werkzeug.http import parse_etags, parse_range_header, quote_etag

from app.context import Context
from app.errors import PreconditionFailedError, RangeNotSatisfiableError
from app.synthesis.fingerprint import fingerprint, seed_of
from app.synthesis.request import SpeechRequest

#: Methods whose request is in the URL.
OF_A_URL = ("GET", "HEAD")


@dataclass(frozen=True)
class Tag:
    """The name of the bytes of an answer, as an `ETag`."""

    digits: str
    #: The answers are as good as equal, but may differ in bits.
    is_weak: bool

    def __str__(self) -> str:
        return quote_etag(self.digits, self.is_weak)

    def is_kept(self) -> bool:
        """Whether the client has the answer, and only asks if it is still right.

        Raises:
            PreconditionFailedError: it asks for another one than this.
        """
        if (wanted := request.headers.get("If-Match")) is not None:
            tags = parse_etags(wanted)
            if not (tags.star_tag or (not self.is_weak and tags.contains(self.digits))):
                raise PreconditionFailedError("the audio of this request is not that of If-Match any more; ask without it")
        return bool(parse_etags(request.headers.get("If-None-Match")).contains_weak(self.digits))


def is_of_a_url() -> bool:
    """Whether the request is in its URL: the same URL then gives the same bytes."""
    return request.method in OF_A_URL


def with_fixed_seed(wanted: SpeechRequest) -> SpeechRequest:
    """Return a request with the seed of what it speaks."""
    return replace(wanted, options=replace(wanted.options, seed=seed_of(wanted)))


def tag_of(wanted: SpeechRequest, context: Context) -> Tag:
    """Return the tag of an answer; weak on an accelerator, which may add in another order, or give way to the CPU."""
    is_weak = wanted.voice.capabilities.uses_device and context.settings.device != "cpu"
    return Tag(fingerprint(wanted, context.revision), is_weak)


def is_about_a_file() -> bool:
    """Whether a GET asks for a part of a file, or a HEAD what the file is, which only a whole answer can be.

    Several ranges, and other values of `Range`, have no effect, as RFC 9110 allows.
    """
    return request.method == "HEAD" or (request.method == "GET" and _range() is not None)


def resolve_range(tag: Tag, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte that a GET asks for, and the one after the last; None if it is to have all.

    Args:
        tag: of the answer; if the client has a part of another one, it gets all of this.
        size_bytes: of the whole answer.

    Raises:
        RangeNotSatisfiableError: the answer ends before the range.
    """
    found = _range() if request.method == "GET" else None
    if found is None or request.headers.get("If-Range", str(tag)) != str(tag):
        return None
    if tag.is_weak and "If-Range" in request.headers:
        return None
    first, stop = found
    if first >= size_bytes:
        raise RangeNotSatisfiableError(f"the audio has {size_bytes} bytes, and the range begins at byte {first}", size_bytes)
    if first < 0:  # the last bytes
        return max(0, size_bytes + first), size_bytes
    return first, size_bytes if stop is None else min(stop, size_bytes)


def set_range(response: Response, part: tuple[int, int], size_bytes: int) -> None:
    """Make an answer the one of a part."""
    response.status_code = 206
    response.headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size_bytes}"


def _range() -> tuple[int, int | None] | None:
    found = parse_range_header(request.headers.get("Range"))
    return found.ranges[0] if found is not None and found.units == "bytes" and len(found.ranges) == 1 else None
