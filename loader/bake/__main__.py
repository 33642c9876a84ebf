"""The commands of the bake child. Each stage prints one line on standard error."""

import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

from loader.child_process import INPUT_OUTPUT_ERROR, end_with
from loader.errors import LoaderError
from loader.standard_streams import reopen_closed_streams
from loader.storage.files import remedy_for


@click.group()
@click.option("--parent", type=int, help="End when this process ends.")
def main(parent: int | None) -> None:
    """Prepare voices: read Coqui checkpoints, write artifacts that can be mapped."""
    if parent is not None:
        end_with(parent)
    # This process runs Coqui's code and ends: its log lines and warnings are not for the operator.
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("engine")
@click.option("--verify", type=click.Choice(("require", "warn", "off")), default="require")
def voice(source: Path, target: Path, engine: str, verify: Literal["require", "warn", "off"]) -> None:
    """Bake the model directory SOURCE into the empty folder TARGET, for ENGINE."""
    from loader.bake.voice import bake_voice

    with _name_failures(target):
        bake_voice(source, target, engine, _stage, verify)


@main.command()
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path, exists=True, file_okay=False))
def fetch(name: str, target: Path) -> None:
    """Download the Coqui model NAME into the empty folder TARGET and seal it."""
    with _stage("starting torch and Coqui"):
        from loader.engines.compat.coqui_package import import_coqui

        import_coqui()
    with _stage(f"downloading {name}"):
        from loader.bake.fetch import fetch_model

        with _name_failures(target):
            fetch_model(name, target)


@contextmanager
def _stage(title: str) -> Iterator[None]:
    started_s = time.monotonic()
    print(f"chorus: {title} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(f" {time.monotonic() - started_s:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def _name_failures(target: Path) -> Iterator[None]:
    """Add the path and the remedy to file system errors, whose text may name no file."""
    try:
        yield
    except OSError as error:
        remedies = ", or ".join(filter(None, (remedy_for(error), "set cache_dir to another folder")))
        raise OSError(f"{target.parent}: {error.strerror or error}; {remedies}") from error


if __name__ == "__main__":
    reopen_closed_streams()
    try:
        main.main(standalone_mode=False)
    except LoaderError as error:
        print(f"chorus: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"chorus: {error}", file=sys.stderr)
        sys.exit(INPUT_OUTPUT_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
