"""`chorus serve`: replace this process by gunicorn."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from app.cli import config_option
from app.cli.errors import NotInstalledError
from loader.errors import LoaderError

#: The folder of the packages `app` and `loader`.
ROOT = Path(__file__).resolve().parent.parent.parent


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check an address, for which gunicorn would print a traceback or retry for seconds."""
    # Late: --help works without the library of the configuration.
    from loader.config.validation import parse_address

    try:
        return None if value is None else str(parse_address(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(context_settings={"ignore_unknown_options": True}, short_help="Serve the voices over HTTP.")
@config_option
@click.option("-b", "--bind", metavar="HOST:PORT", callback=_address, help="Default: `bind` of the configuration.")
@click.option(
    "-w", "--workers", metavar="N", type=click.IntRange(1, 512),
    help="Default: `workers` of the configuration, else one per core that may be used.",
)  # fmt: skip
@click.option("--needs-torch", is_flag=True, help="Only list the voices that need torch and Coqui, with the reason.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[GUNICORN ARGUMENTS]...")
def serve(
    config: Path, bind: str | None, workers: int | None, needs_torch: bool, arguments: tuple[str, ...]
) -> None:
    """Serve the configured voices over HTTP; bakes missing ones first.

    Runs gunicorn with the same process id. Ctrl-C stops it at once, SIGTERM lets requests
    finish, SIGHUP reads the configuration again and replaces the workers one by one. Other arguments are passed to gunicorn;
    relative paths in them count from the folder of gunicorn.conf.py.

    \b
    chorus serve
    chorus serve --config voices.yaml --bind 0.0.0.0:8080 --workers 4
    chorus serve --log-level debug --pid /run/chorus.pid
    """
    if needs_torch:
        for line in lines_of_needs(config):
            print(line)
        return
    process_model = find_process_model(ROOT)
    ours = [*(("--bind", bind) if bind else ()), *(("--workers", str(workers)) if workers else ())]
    words = [sys.executable, "-m", "gunicorn", "--config", str(process_model), *ours, *arguments]
    environment = {**os.environ, "CHORUS_CONFIG": str(config.absolute())}
    # gunicorn imports from the current directory first, where another package may be named `app`.
    os.chdir(process_model.parent)
    os.execve(sys.executable, words, environment)


def lines_of_needs(config: Path) -> Iterator[str]:
    """Yield a line for each voice that needs torch and Coqui; a voice with a problem has none, since the start reports it.

    Raises:
        ConfigError: the configuration has problems.
    """
    from loader.artifacts.requirements import torch_needed_to
    from loader.config.settings import load_settings

    settings = load_settings(config)
    for voice in settings.voices:
        with suppress(LoaderError):
            if purpose := torch_needed_to(voice, settings):
                yield f"chorus: voice {voice.name} needs torch and Coqui to {purpose}: {voice.model_path}"


def find_process_model(root: Path) -> Path:
    """Return the configuration file of gunicorn.

    Raises:
        NotInstalledError: it is not in `root`, or there is no gunicorn.
    """
    path = root / "gunicorn.conf.py"
    if not path.is_file():
        raise NotInstalledError(
            f"{path}: no such file; it is the process model: serve from a checkout (pip install --editable '.[serve]')"
        )
    if importlib.util.find_spec("gunicorn") is None:
        raise NotInstalledError("serving needs gunicorn: install the `serve` extra")
    return path
