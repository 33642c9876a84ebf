"""Has things made by the bake child, so that a serving process never imports torch or TTS."""

import importlib.metadata
import os
import signal
import subprocess
import sys
from pathlib import Path

from loader.artifacts.fs import remedy_for
from loader.errors import BakeError, MissingPackageError

_ROOT = Path(__file__).resolve().parents[2]
_BY_HAND = "or set model_path to an artifact baked elsewhere"


def coqui_version() -> str:
    """Return the installed coqui-tts version without importing it.

    Raises:
        MissingPackageError: it is not installed, as with the `serve` extra.
    """
    try:
        return importlib.metadata.version("coqui-tts")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingPackageError(f"baking a voice needs coqui-tts: install the `bake` extra, {_BY_HAND}") from error


def run_bake(command: str, *arguments: str | Path) -> None:
    """Run one command of `python -m loader.bake` and wait; its progress goes to standard error.

    Raises:
        BakeError: the child failed; it has said why. Carries the child's exit status.
    """
    coqui_version()
    words = [sys.executable, "-m", "loader.bake", "--parent", str(os.getpid()), command, *map(str, arguments)]
    try:
        status = subprocess.run(words, cwd=_ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        # Nothing of the cache folder: no more processes or open files, or an interpreter that this user may not run.
        remedies = "; ".join(filter(None, (str(error), remedy_for(error))))
        raise BakeError(f"the bake child cannot be started: {remedies}") from error
    if status != 0:
        ended = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        failure = BakeError(f"the bake child {ended}; its last line above says why")
        failure.exit_status = status if 0 < status < 128 else BakeError.exit_status
        raise failure
