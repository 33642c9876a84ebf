"""What a folder holds, as lines for people: family, speakers, languages, the files that are read and those that are not."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.releases.directory import ModelDirectory

#: Names in one line.
_MAX_NAMES = 8


def model_lines(found: "ModelDirectory") -> Iterator[str]:
    """Yield one line a fact; what the files do not say is left out. Control characters of their names and texts are escaped."""
    for line in _lines(found):
        yield "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


def _lines(found: "ModelDirectory") -> Iterator[str]:
    files, facts = found.files, found.facts
    yield f"{found.directory}: {kind_of(found)}"
    if facts.sample_rate_hz:
        yield f"  sample rate: {facts.sample_rate_hz} Hz"
    if facts.speakers:
        yield f"  speakers: {some(facts.speakers)}"
    if facts.languages:
        yield f"  languages: {some(facts.languages)}"
    yield f"  licence: {facts.licence or 'not named'}"
    for name, role in {**files.roles, **dict.fromkeys(found.licences, "licence or description")}.items():
        yield f"  {role}: {name}, {_size((found.directory / name).stat().st_size)}"
    for candidate in files.candidates:
        yield f"  not chosen: {candidate.name} ({candidate.why})"
    others = {each.name for each in files.candidates}
    ignored = [name for name in found.ignored if name not in others]
    if ignored:
        yield f"  ignored: {some(ignored)}"


def kind_of(found: "ModelDirectory") -> str:
    """Return whose model it is and its family, such as `Coqui vits`."""
    family = found.files.family
    return f"{found.files.kind}" if found.files.kind.lower() == family else f"{found.files.kind} {family or '(no family named)'}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes:,} bytes" if size_bytes < 100_000 else f"{size_bytes / 1e6:,.1f} MB"


def some(names: Collection[str]) -> str:
    """Return the first names, and the number of all if there are more."""
    shown = ", ".join(list(names)[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown}, ... ({len(names)})"
