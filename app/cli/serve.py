"""`chorus serve`: become gunicorn."""

import importlib.util
import os
import sys
from pathlib import Path

import click

from app.cli.endings import NotInstalledError
from app.cli.options import config_option

#: Beside the packages `app` and `loader`, wherever those are.
ROOT = Path(__file__).resolve().parent.parent.parent


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check what would be a traceback of gunicorn's, or seconds of it trying."""
    # Late: --help need not wait for the configuration's library.
    import voluptuous as vol

    from loader.config.validators import address

    try:
        return None if value is None else address(value)
    except vol.Invalid as error:
        raise click.BadParameter(str(error)) from error


@click.command(context_settings={"ignore_unknown_options": True}, short_help="Serve the voices over HTTP.")
@config_option
@click.option("-b", "--bind", metavar="HOST:PORT", callback=_address, help="Default: the configuration's `bind`.")
@click.option(
    "-w", "--workers", metavar="N", type=click.IntRange(1, 512), help="Default: the configuration's `workers`, one per core."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[GUNICORN ARGUMENTS]...")
def serve(config: Path, bind: str | None, workers: int | None, arguments: tuple[str, ...]) -> None:
    """Serve the configured voices over HTTP; bakes first what is not baked yet.

    Becomes gunicorn, under the same process id. Ctrl-C stops it at once, SIGTERM lets
    requests finish, SIGHUP replaces the workers one by one. Whatever else is given goes to
    gunicorn as it is; relative paths in it count from the folder of gunicorn.conf.py.

    \b
    chorus serve
    chorus serve --config voices.yaml --bind 0.0.0.0:8080 --workers 4
    chorus serve --log-level debug --pid /run/chorus.pid
    """
    process_model = found_process_model(ROOT)
    ours = [*(("--bind", bind) if bind else ()), *(("--workers", str(workers)) if workers else ())]
    words = [sys.executable, "-m", "gunicorn", "--config", str(process_model), *ours, *arguments]
    environment = {**os.environ, "CHORUS_CONFIG": str(config.absolute())}
    # gunicorn imports from the current directory first, where another package may be named `app`.
    os.chdir(process_model.parent)
    os.execve(sys.executable, words, environment)


def found_process_model(root: Path) -> Path:
    """Return the file that gunicorn is configured by.

    Raises:
        NotInstalledError: it is not in `root`, or there is no gunicorn.
    """
    path = root / "gunicorn.conf.py"
    if not path.is_file():
        raise NotInstalledError(
            f"{path}: not there, and it is the process model; serve from a checkout: pip install --editable '.[serve]'"
        )
    if importlib.util.find_spec("gunicorn") is None:
        raise NotInstalledError("serving needs gunicorn: install the `serve` extra")
    return path
