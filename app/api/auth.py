"""API keys. Only their hashes are configured, and refusals do not tell how close a guess was.

Imports no Flask: `chorus key` uses it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from app.errors import UnauthorizedError

if TYPE_CHECKING:
    from loader.config.settings import ApiKeys

#: Blueprints that need no key: probes and scrapers send none, and the page asks its user for one.
OPEN = ("status", "page", "openapi")
#: Blueprints that list what may be requested. Open WebUI sends no key with these.
LISTINGS = ("listings", "marytts_listings")
_PREFIX = "chorus-"


def generate_key() -> str:
    """Return a new random key of 256 bits, which needs no slow hash."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key in lower-case hexadecimal. Keys are read as headers are, in Latin-1."""
    return hashlib.sha256(key.encode("latin-1")).hexdigest()


def parse_key(authorization: str, x_api_key: str) -> str:
    """Return the key in a request's two headers, or "".

    A bearer without a token counts as none: SillyTavern sends one if its user has no key.
    """
    scheme, _, token = authorization.strip().partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else "") or x_api_key.strip()


def is_known(key: str, hashes: Iterable[str]) -> bool:
    """Return whether the hash of `key` is among `hashes`, in constant time."""
    digest = hash_key(key)
    return any([hmac.compare_digest(digest, each) for each in hashes])


def require_key(keys: "ApiKeys", blueprint: str | None, header: Callable[[str, str], str]) -> None:
    """Refuse a request that needs a key and has none, or an unknown one.

    Args:
        keys: the configured ones.
        blueprint: of the endpoint that is requested.
        header: returns the value of a header of the request, by its name and a default.

    Raises:
        UnauthorizedError: with how to send a key.
    """
    if not keys.sha256 or blueprint in OPEN or (keys.public_listings and blueprint in LISTINGS):
        return
    key = parse_key(header("Authorization", ""), header("X-Api-Key", ""))
    if not key:
        raise UnauthorizedError("this server requires an API key; send it as `Authorization: Bearer KEY`")
    if not is_known(key, keys.sha256):
        raise UnauthorizedError("the API key is unknown to this server; ask its operator for one")
