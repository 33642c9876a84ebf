"""`chorus seal`: record the hashes of the files that speaking reads."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loader.releases.directory import ModelDirectory

#: The version of a directory that never had one.
FIRST_VERSION = "1"


@click.command(short_help="Record the hashes of a model directory.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--version", metavar="V", help="Content of version.txt; default: the present one, else 1.")
@click.option("--checkpoint", metavar="NAME", help="The checkpoint to speak with, if DIR has several.")
def seal(directory: Path, version: str | None, checkpoint: str | None) -> None:
    """Write version.txt and hash.sha256 into DIR, which a server needs to serve it.

    The list has the files that speaking reads, and licences; a training log may grow afterwards.
    Sealing again records what is there now, and says what has changed. A folder without a model is
    refused with what is in it and what is missing.

    \b
    chorus seal ~/voices/vctk
    chorus seal ~/voices/vctk --version 2026-11-30
    chorus seal ~/runs/vits-1 --checkpoint best_model_1500.pth
    """
    from app.cli.model_lines import model_lines
    from loader.releases.directory import inspect_each, require_supported, require_weights

    models = inspect_each(directory, checkpoint)
    for found in models:
        require_supported(found.files, found.directory / found.files.config)
        require_weights(found)
        for line in model_lines(found):
            print(line)
    for line in sealed_lines(models, version):
        print(line, flush=True)


def sealed_lines(models: "Sequence[ModelDirectory]", version: str | None) -> Iterator[str]:
    """Seal the directory of one or more models, and yield the lines to print.

    Raises:
        CannotWriteError: the folder cannot be written.
        LoaderError: any of its children.
    """
    from app.cli.errors import CannotWriteError
    from app.cli.progress import show_bytes
    from loader.errors import IntegrityError
    from loader.releases.hash_list import read_hash_list
    from loader.releases.sealing import seal_release

    directory, before, hashed = models[0].directory, {}, [0]
    names = list(dict.fromkeys(name for found in models for name in found.kept))
    with suppress(IntegrityError):
        before = read_hash_list(directory)
    version = present_version(directory) if version is None else checked_version(version)
    total_bytes = sum((directory / name).stat().st_size for name in names)
    try:
        with show_bytes(directory.name, total_bytes, lambda: sum(hashed)):
            after = seal_release(directory, version, names, hashed.append)
    except OSError as error:
        remedy = "verify: warn serves it without a seal if only you and root can write there; chorus import makes a copy"
        raise CannotWriteError(f"{directory}: cannot be sealed ({error.strerror}); {remedy}") from error
    if before:
        yield from changes(before, after)
    yield f"sealed as version {version}, {len(after)} files: {directory}"


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    """Return lines that say what differs between two lists."""
    kinds = {
        "changed": [name for name in after if name in before and before[name] != after[name]],
        "new": [name for name in after if name not in before],
        "no longer listed": [name for name in before if name not in after],
    }
    lines = [f"  {kind} since the last seal: {', '.join(names)}" for kind, names in kinds.items() if names]
    return lines or ["  nothing has changed since the last seal"]


def present_version(directory: Path) -> str:
    """Return the content of version.txt, or the first version if there is none that can be used."""
    from loader.errors import IntegrityError
    from loader.releases.hash_list import read_version

    with suppress(IntegrityError):
        return read_version(directory)
    return FIRST_VERSION


def checked_version(version: str) -> str:
    """Return a version for version.txt.

    Raises:
        click.BadParameter: it is not one line of text.
    """
    if not version.strip() or not version.isprintable():
        raise click.BadParameter(f"{version!r}: expected one line of text", param_hint="--version")
    return version.strip()
