"""Locations of releases: `model_path` as a URL, as it is shown, and as the name of a folder."""

import hashlib
import re
from urllib.parse import urlsplit, urlunsplit

#: Schemes of a `model_path` that names a source of releases.
SCHEMES = ("file", "https", "http", "hf", "s3", "gs")
_SOURCE = re.compile(rf"({'|'.join(SCHEMES)}):.+", re.IGNORECASE)


def is_source(model_path: str) -> bool:
    """Whether a `model_path` is the URL of a source of releases."""
    return _SOURCE.fullmatch(model_path) is not None


def has_parts(source: str) -> bool:
    """Whether a source has the parts of a URL: a host that is one, a port that is a number, nothing that does not print."""
    try:
        parts = urlsplit(source)
        return source.isprintable() and " " not in source and (parts.port or 0) >= 0
    except ValueError:
        return False


def shown(source: str) -> str:
    """Return a source without what may be secret: user, password, query."""
    if not is_source(source):
        return source
    parts = urlsplit(source)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")).rstrip("/")


def folder_name(source: str) -> str:
    """Return the name of the folder of a source's releases; other credentials have the same folder."""
    name = shown(source)
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", name.partition(":")[2]).strip("-.")[-48:].strip("-.")
    return f"{readable or 'source'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
