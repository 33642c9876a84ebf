"""The two files of a seal: `version.txt`, and `hash.sha256` in the format of sha256sum."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from loader.errors import IntegrityError
from loader.releases.directory import HASH_FILE, VERSION_FILE
from loader.storage.files import refuse_shortage, write_aside

_DIGEST_CHARACTERS = 64
#: Of Linux's file systems.
_MAX_NAME_BYTES = 255


def seal_remedy(directory: Path) -> str:
    """Return the command that seals a directory, as a clause."""
    return f"seal the directory with: chorus seal {shlex.quote(str(directory))}"


def changed_remedy(directory: Path) -> str:
    """Return what to do about a file that has another hash than its directory lists, as a clause."""
    return f"fetch the release again; or, if you have changed it yourself, {seal_remedy(directory)}"


def is_plain_name(name: str) -> bool:
    """Whether a hash list can hold the name: printable, without separators, and a file of the folder itself."""
    is_plain = name.isprintable() and not set(name) & set("/\\") and name not in ("", ".", "..")
    return is_plain and len(name.encode()) <= _MAX_NAME_BYTES


def read_version(directory: Path, expected: str | None = None) -> str:
    """Return the content of version.txt.

    Raises:
        IntegrityError: there is none, or it is another than `expected`.
    """
    path = directory / VERSION_FILE
    try:
        version = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            refuse_shortage(path, error)
        raise IntegrityError(path, "one line of text", type(error).__name__, seal_remedy(directory)) from error
    if not version or "\n" in version:
        raise IntegrityError(path, "one line of text", repr(version[:60]), seal_remedy(directory))
    if expected is not None and version != expected:
        remedy = "fetch the release again, or change `version`"
        raise IntegrityError(path, f"version {expected}", f"version {version}", remedy)
    return version


def read_hash_list(directory: Path) -> dict[str, str]:
    """Return each listed file name with its sha256 in lower case.

    Raises:
        IntegrityError: there is no list, or a line of it is not of this format.
    """
    path = directory / HASH_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            refuse_shortage(path, error)
        raise IntegrityError(path, "lines of sha256sum", type(error).__name__, seal_remedy(directory)) from error
    try:
        return parse_hash_list(text)
    except ValueError as error:
        raise IntegrityError(path, "<sha256>  <file name>", str(error), seal_remedy(directory)) from error


def parse_hash_list(text: str) -> dict[str, str]:
    """Return each file name of a hash list with its sha256 in lower case. A name has no folder and one hash.

    Raises:
        ValueError: the first line that is not of the format of sha256sum.
    """
    hashes: dict[str, str] = {}
    # Not splitlines: a name may hold other characters that it takes for ends of lines.
    for line in filter(str.strip, text.split("\n")):
        digest, name = _split_line(line.removesuffix("\r"))
        if len(digest) != _DIGEST_CHARACTERS or not is_plain_name(name) or set(digest.lower()) - set("0123456789abcdef"):
            raise ValueError(repr(line[:80]))
        if hashes.setdefault(name, digest.lower()) != digest.lower():
            raise ValueError(f"two hashes of {name[:80]!r}")
    return hashes


def write_seal(directory: Path, version: str, hashes: Mapping[str, str]) -> None:
    """Write both files, the list last: a folder is sealed when it has the list.

    Raises:
        OSError: the folder cannot be written.
    """
    write_aside(directory / VERSION_FILE, f"{version}\n".encode())
    write_aside(directory / HASH_FILE, format_hash_list(hashes).encode())


def format_hash_list(hashes: Mapping[str, str]) -> str:
    """Return lines in the format of sha256sum."""
    return "".join(f"{digest}  {name}\n" for name, digest in hashes.items())


def _split_line(line: str) -> tuple[str, str]:
    # Two blanks, or a blank and an asterisk; a name may begin with a blank.
    if line[_DIGEST_CHARACTERS : _DIGEST_CHARACTERS + 2] in ("  ", " *"):
        return line[:_DIGEST_CHARACTERS], line[_DIGEST_CHARACTERS + 2 :].removeprefix("./")
    digest, _, name = line.strip().partition(" ")
    return digest, name.strip().removeprefix("./")
