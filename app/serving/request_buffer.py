"""Request buffer: collect the bytes of one request without a thread until it is complete.

gunicorn reads a request in the thread that answers it: 200 clients that send a byte now and then block every thread of a
server, and its probes get no answer (30 s, 2026-11-30). Only a complete request gets a thread.

The buffer parses no more than it needs to find where a request ends. gunicorn's parser reads the same bytes afterwards, and
finds the other mistakes.
"""

import re

from app.errors import (
    BadRequestError,
    BodyTooLargeError,
    HeadersTooLargeError,
    MalformedRequestError,
    RequestLineTooLongError,
    RequestTimeoutError,
)
from app.scheduling.client_socket import SocketTimeouts

#: gunicorn's `limit_request_line`: GET /api/tts carries its text there.
MAX_LINE_BYTES = 8190
#: nginx passes on 32 KiB, and adds headers of its own. gunicorn's limits would let 800 KiB of a client lie in memory.
MAX_HEAD_BYTES = 40 * 1024
#: A chunk of one byte takes six, but few clients send chunks below this multiple of their content.
_CHUNKED_FACTOR = 2

_END = b"\r\n\r\n"
#: Forbidden anywhere in a head: control characters, and line ends that are not CRLF. A CR at the end may still get its LF.
_UNREADABLE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
#: Forbidden in a request line; `_UNREADABLE` finds a CR that is not its end.
_NOT_ASCII = re.compile(rb"[^\x20-\x7e\r]")
_VERSION = re.compile(rb".* HTTP/1\.\d")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*(\d{1,18})[ \t]*(?=\r\n)", re.IGNORECASE)
_LENGTH_NAME = re.compile(rb"\r\ncontent-length[ \t]*:", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
#: The beginning of a chunk's size, and how many bytes of it are checked before its end is there.
_CHUNK_SIZE_SO_FAR = re.compile(rb"[0-9a-fA-F]{0,15}(?:[ \t]+|[ \t]*;.*)?\r?", re.DOTALL)
_SIZE_BYTES = 20
_TARGET = re.compile(rb"(?:\r\n)?([A-Z]{1,20}) (?:https?://[^/ ]{0,255})?(/[A-Za-z0-9/._~-]*)")

_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]{1,300})[ \t]*\r\n", re.IGNORECASE)

_LINE_REMEDY = "send `METHOD /path HTTP/1.1` and CRLF, with every other character than printable ASCII percent-encoded"


def parse_target(data: bytes) -> tuple[str, str]:
    """Return a request's method and path, even if the rest is malformed; GET and an empty path if they are."""
    found = _TARGET.match(data)
    return (found[1].decode(), found[2].decode()) if found else ("GET", "")


def parse_origin(data: bytes) -> str:
    """Return the header `Origin` of a request, even if the rest is malformed; "" if there is none in its first bytes."""
    found = _ORIGIN.search(data[:MAX_HEAD_BYTES].partition(b"\r\n\r\n")[0] + b"\r\n")
    return found[1].decode("ascii") if found else ""


class RequestBuffer:
    """The bytes of one request, from the connection's acceptance until a thread takes it."""

    def __init__(
        self, now_s: float, max_body_bytes: int, first_byte_s: float, timeouts: SocketTimeouts = SocketTimeouts()
    ) -> None:
        """Start without a byte.

        Args:
            now_s: by the monotonic clock.
            max_body_bytes: a larger body is not collected; the application refuses it.
            first_byte_s: the timeout for the first byte.
            timeouts: of a request that has begun.
        """
        self.data = bytearray()
        # The bytes that were searched already: a request that comes a byte at a time must not be searched from its start.
        self._seen = 0
        self._is_line_read = False
        self._timeouts = timeouts
        self._max_body_bytes = max_body_bytes
        #: When the request times out, by the monotonic clock, unless more comes.
        self.ends_s = now_s + first_byte_s
        self._last_s = now_s + timeouts.request_s
        # Where the body begins, once the head is complete, and its size in bytes; None if it is chunked.
        self._body_at: int | None = None
        self._length: int | None = 0
        # Where the next chunk begins, the content of the chunks before it in bytes, and where it ends once its size is known.
        self._chunk_at, self._content_bytes = 0, 0
        self._chunk_ends: int | None = None
        self._trailer_at: int | None = None
        self._is_waiting_for_continue = False

    def add(self, piece: bytes, now_s: float) -> bool:
        """Add what came next. Return whether a thread can go on: the request is complete, or the rest of it does not matter.

        Raises:
            BadRequestError: one of its children; the request is malformed or too large.
        """
        self._seen = len(self.data)
        self.data += piece
        self.ends_s = min(self._last_s, now_s + self._timeouts.silence_s)
        if self._body_at is None and not self._is_head_complete():
            return False
        return self._is_body_complete()

    def closed(self) -> BadRequestError:
        """Return the error of a client that closed its sending side before its request was complete."""
        part = "head" if self._body_at is None else "body"
        return MalformedRequestError(f"the connection was closed before the request's {part} was complete; send all of it")

    def overdue(self, now_s: float) -> BadRequestError:
        """Return the error of a request that timed out at `ends_s`."""
        part = "head" if self._body_at is None else "body"
        why = f"nothing was sent for {self._timeouts.silence_s:g} s"
        if now_s >= self._last_s:
            why = f"the request was not complete after {self._timeouts.request_s:g} s"
        return RequestTimeoutError(f"the {part} did not arrive in time: {why}")

    def take_continue(self) -> bool:
        """Return, once, whether the client waits for `100 Continue` before it sends its body, and drop the header."""
        if not self._is_waiting_for_continue:
            return False
        self._is_waiting_for_continue = False
        # With the header, gunicorn would send it a second time.
        at, head = self._body_at or 0, bytes(self.data[: self._body_at])
        self.data[:at] = shorter = _EXPECT.sub(b"", head)
        # The body moves to the front by as much.
        moved = len(head) - len(shorter)
        self._body_at, self._chunk_at = at - moved, self._chunk_at - moved
        if self._chunk_ends is not None:
            self._chunk_ends -= moved
        if self._trailer_at is not None:
            self._trailer_at -= moved
        return True

    def _is_head_complete(self) -> bool:
        begin = 2 if self.data.startswith(b"\r\n") else 0  # one empty line may come first (RFC 9112, 2.2)
        end = self.data.find(_END, max(begin, self._seen - 3))
        head_end = len(self.data) if end < 0 else end + len(_END)
        if not self._is_line_read:
            self._read_line(begin)
        if _UNREADABLE.search(self.data, max(0, self._seen - 1), head_end):
            raise MalformedRequestError("the head has control characters, or line ends other than CRLF; leave them out")
        if head_end > MAX_HEAD_BYTES:
            raise HeadersTooLargeError(f"the head is over {MAX_HEAD_BYTES} bytes; send fewer or shorter headers")
        if end < 0:
            return False
        self._begin_body(head_end)
        return True

    def _read_line(self, begin: int) -> None:
        end = self.data.find(b"\r\n", max(begin, self._seen - 1))
        line_end = len(self.data) if end < 0 else end
        if line_end - begin > MAX_LINE_BYTES:
            raise RequestLineTooLongError(f"the request line is over {MAX_LINE_BYTES} bytes; send long texts by POST")
        self._is_line_read = end >= 0
        is_valid = end < 0 or _VERSION.fullmatch(self.data, begin, end)
        if _NOT_ASCII.search(self.data, max(begin, self._seen - 1), line_end) or not is_valid:
            raise MalformedRequestError(f"the request line is malformed; {_LINE_REMEDY}")

    def _begin_body(self, head_end: int) -> None:
        head = bytes(self.data[: head_end - 2])
        self._body_at = self._chunk_at = head_end
        lengths, is_old = _LENGTH.findall(head), head.lstrip(b"\r\n").partition(b"\r\n")[0].endswith(b" HTTP/1.0")
        if len(lengths) != len(_LENGTH_NAME.findall(head)):
            raise MalformedRequestError("Content-Length is not a number; send the bytes of the body in digits, 18 at most")
        # After a contradiction no body is awaited: gunicorn refuses the head.
        if _CHUNKED.search(head):
            self._length = 0 if lengths or is_old else None
        elif len(lengths) == 1 and int(lengths[0]) <= self._max_body_bytes:
            self._length = int(lengths[0])
        self._is_waiting_for_continue = bool(_EXPECT.search(head)) and not is_old and not self._is_body_complete()

    def _is_body_complete(self) -> bool:
        if self._length is not None:
            return len(self.data) - (self._body_at or 0) >= self._length
        most_bytes = _CHUNKED_FACTOR * self._max_body_bytes + MAX_HEAD_BYTES
        if len(self.data) - (self._body_at or 0) > most_bytes:
            raise BodyTooLargeError(f"the body is over {most_bytes} bytes with its chunk sizes; send larger chunks, or fewer")
        while self._trailer_at is None:
            if self._chunk_ends is None:
                if (is_complete := self._read_size()) is not None:
                    return is_complete
            elif len(self.data) < self._chunk_ends:
                missing_bytes = max(0, self._chunk_ends - 2 - len(self.data))
                return self._content_bytes - missing_bytes > self._max_body_bytes
            elif self.data[self._chunk_ends - 2 : self._chunk_ends] != b"\r\n" or self._content_bytes > self._max_body_bytes:
                return True
            else:
                self._chunk_at, self._chunk_ends = self._chunk_ends, None
        return self._is_trailer_complete(self._trailer_at)

    def _read_size(self) -> bool | None:
        """Read a chunk's size. Return whether to stop collecting: true if gunicorn refuses the size; None to go on."""
        end = self.data.find(b"\r\n", max(self._chunk_at, self._seen - 1))
        if end < 0:
            return self._check_incomplete_size()
        size = _CHUNK_SIZE.fullmatch(self.data, self._chunk_at, end)
        if size is None:
            return True
        if size_bytes := int(size[1], 16):
            self._chunk_ends = end + 2 + size_bytes + 2
            self._content_bytes += size_bytes
        else:
            self._trailer_at = end + 2
        return None

    def _check_incomplete_size(self) -> bool:
        """Refuse an invalid chunk size that has no end, for which gunicorn would wait."""
        size = self.data[self._chunk_at : self._chunk_at + _SIZE_BYTES]
        is_too_long = len(self.data) - self._chunk_at > MAX_LINE_BYTES
        is_malformed = _UNREADABLE.search(self.data, max(self._chunk_at, self._seen - 1))
        if is_too_long or is_malformed or not _CHUNK_SIZE_SO_FAR.fullmatch(size):
            raise MalformedRequestError("a chunk of the body has an invalid size; send it in hexadecimal, and CRLF")
        return False

    def _is_trailer_complete(self, at: int) -> bool:
        if len(self.data) - at > MAX_HEAD_BYTES:
            raise HeadersTooLargeError(f"the trailers are over {MAX_HEAD_BYTES} bytes; leave them out")
        if self.data[at : at + 2] == b"\r\n" or self.data.find(_END, max(at, self._seen - 3)) >= 0:
            return True
        # gunicorn refuses a trailer with bare line feeds at once.
        return bool(_BARE_LINE_FEED.search(self.data, max(at, self._seen - 1)))
