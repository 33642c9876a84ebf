"""Validation that the dialects with parameters instead of JSON share."""

from collections.abc import Container
from urllib.parse import unquote_to_bytes

from app.errors import BadRequestError


def require_utf8(encoded: bytes, parameter: str) -> None:
    """Refuse a query or form that is not UTF-8; Flask would speak replacement characters.

    Raises:
        BadRequestError: with the position.
    """
    try:
        unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the parameters are not UTF-8 (byte {error.start}); encode them so", parameter) from error


def refuse_path(value: str, known: Container[str], parameter: str) -> None:
    """Refuse a value that looks like a path, unless it is a known name.

    Raises:
        BadRequestError: with the value.
    """
    if ("/" in value or "\\" in value) and value not in known:
        raise BadRequestError(f"{parameter} is {value[:80]!r}, expected a name; clients cannot have files read here", parameter)
