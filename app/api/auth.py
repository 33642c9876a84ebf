"""API keys. Only their hashes are configured, and refusals do not tell how close a guess was.

Imports no Flask: `chorus key` uses it.
"""

import base64
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
_MISSING = "this server requires an API key; send it as `Authorization: Bearer KEY`, or as the password of a URL"
_UNKNOWN = "the API key is unknown to this server; ask its operator for one"


def generate_key() -> str:
    """Return a new random key of 256 bits, which needs no slow hash."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key in lower-case hexadecimal. Keys are read as headers are, in Latin-1."""
    return hashlib.sha256(key.encode("latin-1")).hexdigest()


def parse_key(authorization: str, x_api_key: str) -> str:
    """Return the key in a request's two headers, or "".

    It is a bearer token, or the password of any user: players and telephones can only be given a URL, such as
    `https://any:KEY@host/path`. A bearer without a token counts as none: SillyTavern sends one if its user has no key.
    """
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() == "basic":
        token = _password(token)
    elif scheme.lower() != "bearer":
        token = ""
    return token.strip() or x_api_key.strip()


def _password(token: str) -> str:
    """Return the password in the token of HTTP Basic, in Latin-1 as other headers are; "" if there is none."""
    try:
        return base64.b64decode(token.strip(), validate=True).decode("latin-1").partition(":")[2]
    except ValueError:  # not Base64, or not ASCII
        return ""


def is_known(key: str, hashes: Iterable[str]) -> bool:
    """Return whether the hash of `key` is among `hashes`, in constant time."""
    digest = hash_key(key)
    return any([hmac.compare_digest(digest, each) for each in hashes])


def require_key(keys: "ApiKeys", blueprint: str | None, method: str, header: Callable[[str, str], str]) -> None:
    """Refuse a request that needs a key and has none, or an unknown one.

    Args:
        keys: the configured ones.
        blueprint: of the endpoint that is requested.
        method: of the request.
        header: returns the value of a header of the request, by its name and a default.

    Raises:
        UnauthorizedError: with how to send a key.
    """
    if not keys.sha256 or blueprint in OPEN or (keys.public_listings and blueprint in LISTINGS):
        return
    authorization = header("Authorization", "")
    key = parse_key(authorization, header("X-Api-Key", "") or header("X-Vapi-Secret", ""))
    if not key or not is_known(key, keys.sha256):
        # Players send the password of their URL if they are asked for it. For other requests a browser would ask its user.
        is_of_a_url = method in ("GET", "HEAD") and blueprint not in LISTINGS
        raise UnauthorizedError(_UNKNOWN if key else _MISSING, is_of_a_url and not authorization.lower().startswith("bearer"))
