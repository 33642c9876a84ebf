"""Who is let in, where the configuration lists API keys. Knows which endpoints are whose."""

from flask import current_app, request

from app.api.keys import is_known, presented
from app.context import Service
from app.errors import UnauthorizedError

#: Blueprints for everybody: probes and scrapers know no keys, and the page asks for one itself.
OPEN = ("status", "metrics", "page")
#: Blueprints that say what there is to ask for. Open WebUI sends no key with these.
LISTINGS = ("listings", "marytts_listings")


def require_key() -> None:
    """Refuse a request that brings no key of ours to what needs one. What is not there at all needs none.

    Raises:
        UnauthorizedError: with how to send a key.
    """
    service: Service = current_app.extensions["chorus"]
    keys = service.settings.api_keys
    if not keys.sha256 or request.endpoint is None or request.blueprint in OPEN:
        return
    if keys.public_listings and request.blueprint in LISTINGS:
        return
    key = presented(request.headers.get("Authorization", ""), request.headers.get("X-Api-Key", ""))
    if not key:
        raise UnauthorizedError("this server wants an API key; send it as `Authorization: Bearer KEY`")
    if not is_known(key, keys.sha256):
        raise UnauthorizedError("the API key is none of this server's; ask whoever runs it for one")
