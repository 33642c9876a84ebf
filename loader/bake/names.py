"""Files of names: speakers and languages with their rows, or the vectors of a speaker's recordings."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.bake.weights_file import read_weights_file
from loader.bake.wording import one_line
from loader.errors import BakeError
from loader.releases.configuration import parse_document
from loader.releases.content import foreign_content

_FIRST_BYTES = 64


def read_names(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a file of names as Coqui's managers have it, whatever its ending: names without white space around them.

    Raises:
        BakeError: it is neither JSON nor a file of torch, or holds something else.
    """
    named = Path(path)
    content = _read(named)
    if not all(isinstance(key, str) for key in content):
        raise BakeError(f"{named}: expected names with their rows, found {type(next(iter(content))).__name__} as a name")
    if any(isinstance(each, Mapping) for each in content.values()):
        return _with_stripped_speakers(content, named)
    return _with_rows(content, named)


def stripped(name: str, others: Mapping[str, Any]) -> str:
    """Return a name without white space around it, unless that is another name or nothing."""
    plain = name.strip()
    return name if not plain or plain in others else plain


def _read(path: Path) -> dict[str, Any]:
    if found := foreign_content(path):
        raise BakeError(f"{path}: expected names, found {found}")
    with path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    # By its first character, after a byte order mark and white space; pickles and archives begin with others.
    if not first.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith((b"{", b"/", b"[")):
        return read_weights_file(path)
    try:
        return parse_document(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BakeError(f"{path}: cannot be read as names: {one_line(error)}") from error


def _with_rows(content: Mapping[str, Any], path: Path) -> dict[str, int]:
    rows = {}
    for name, row in content.items():
        try:
            rows[stripped(name, content)] = int(row)
        except (TypeError, ValueError) as error:
            raise BakeError(f"{path}: the row of {name!r} is {str(row)[:40]!r}; expected a number") from error
    return rows


def _with_stripped_speakers(clips: Mapping[str, Any], path: Path) -> dict[str, Any]:
    try:
        names = {clip["name"]: None for clip in clips.values()}
        return {key: {**clip, "name": stripped(clip["name"], names)} for key, clip in clips.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise BakeError(f"{path}: expected a name and an embedding for each recording: {one_line(error)}") from error
