"""API keys: only their hashes are known here, and nothing says how close a guess came."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

_PREFIX = "chorus-"


def drawn_key() -> str:
    """Return a key that nobody guesses: 256 bits of chance, which need no slow hash."""
    return _PREFIX + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """Return what is kept of a key, read as headers are, in Latin-1: its SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(key.encode("latin-1")).hexdigest()


def presented(authorization: str, x_api_key: str) -> str:
    """Return the key that a request's two headers bring, or "".

    A bearer without a token says nothing, as SillyTavern sends one where its user has no key.
    """
    scheme, _, token = authorization.strip().partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else "") or x_api_key.strip()


def is_known(key: str, known: Iterable[str]) -> bool:
    """Whether the hash of `key` is among `known`; takes as long whichever it is, and where it is none."""
    digest = hashed(key)
    return any([hmac.compare_digest(digest, each) for each in known])
