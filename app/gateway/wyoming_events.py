"""Wyoming's events as bytes: read with a bound on their size; the package's own reader takes any length a client names."""

import asyncio
import json
from typing import Any

from wyoming.event import Event

from app.gateway.errors import ClientError

#: Of an event's line, of its data and of its payload, each: `limits.body_bytes` of a server by default.
MAX_PART_BYTES = 256 * 1024


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """Return the next event; None if the client has closed its sending side. The reader's limit bounds the line.

    Raises:
        ClientError: the bytes are no event, or one over the bound.
    """
    try:
        line = await reader.readuntil(b"\n")
        header = _object(line)
        kind, data = header.get("type"), header.get("data") or {}
        if not isinstance(kind, str) or not isinstance(data, dict):
            raise ClientError("a line is no event; send a JSON object with `type` and, if it has data, an object `data`")
        if size := _length(header, "data_length"):
            data = {**data, **_object(await reader.readexactly(size))}
        payload = await reader.readexactly(size) if (size := _length(header, "payload_length")) else None
    except asyncio.IncompleteReadError:
        return None
    except (asyncio.LimitOverrunError, ValueError) as error:
        raise ClientError(f"a line is longer than {MAX_PART_BYTES} bytes; send text in several events") from error
    return Event(type=kind, data=data, payload=payload)


def text_of(data: dict[str, Any], key: str) -> str:
    """Return a text of an event's data; "" if it is absent.

    Raises:
        ClientError: it is something else, or cannot be written in UTF-8.
    """
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ClientError(f"{key} is {type(value).__name__}, expected a string")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ClientError(f"{key} has half of a surrogate pair, which is not text; send the whole character")
    return value


def _object(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ClientError("bytes that are not JSON in UTF-8 came where an event was expected") from error
    if not isinstance(document, dict):
        raise ClientError("JSON that is not an object came where an event was expected")
    return document


def _length(header: dict[str, Any], key: str) -> int:
    size = header.get(key) or 0
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_PART_BYTES:
        raise ClientError(f"{key} is {str(size)[:40]}, expected 0 to {MAX_PART_BYTES}; send text in several events")
    return size
