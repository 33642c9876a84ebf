"""Small releases of random bytes, and the folder they are fetched into."""

import hashlib
import random

from loader.config.settings import ReleaseSettings

LIMITS = ReleaseSettings(max_bytes=50_000_000, timeout_s=5.0)


def release_files(seed, version="1", **more):
    """The files of a release, with its manifest: a model of 300 kB, a configuration, and `more`."""
    draw = random.Random(seed)
    files = {"model.pth": draw.randbytes(300_000), "config.json": draw.randbytes(200), **more}
    return sealed(files, version)


def sealed(files, version="1"):
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    return {**files, "version.txt": f"{version}\n".encode(), "hash.sha256": lines.encode()}


def release_id(files):
    return hashlib.sha256(files["hash.sha256"]).hexdigest()


def at(prefix, files):
    """The same files by their paths on a server."""
    return {f"{prefix}/{name}": content for name, content in files.items()}


def content_of(snapshot):
    return {path.name: path.read_bytes() for path in snapshot.directory.iterdir()}
