"""What is installed for a bake, and the command that installs it."""

import importlib.metadata
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path

from loader.errors import MissingPackageError

_ROOT = Path(__file__).resolve().parents[2]
_BAKING = "baking a checkpoint"


def coqui_version() -> str:
    """Return the installed coqui-tts version, else the one that this version of Chorus bakes with, without importing it.

    Raises:
        MissingPackageError: it is not installed, and Chorus itself is not either.
    """
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("coqui-tts")
    # An artifact that was baked by a full install has the same key in a serve-only one.
    with suppress(importlib.metadata.PackageNotFoundError):
        for requirement in importlib.metadata.requires("chorus-tts") or ():
            if pinned := re.match(r"coqui-tts==([\w.]+)", requirement):
                return pinned[1]
    raise MissingPackageError(_missing(_BAKING))


def require_bake_extra(subject: str = _BAKING) -> None:
    """Refuse what needs torch and Coqui if they are not installed.

    Args:
        subject: what needs them, as the beginning of the message.

    Raises:
        MissingPackageError: they are not installed. Names the command that installs them.
    """
    try:
        importlib.metadata.version("coqui-tts")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingPackageError(_missing(subject)) from error


def _missing(subject: str) -> str:
    remedy = f"run {install_command()}, or set model_path to an artifact for the onnx engine that was baked elsewhere"
    return f"{subject} needs torch and coqui-tts, which are not installed; {remedy}"


def install_command() -> str:
    """Return the command that adds torch and Coqui to the environment of this process."""
    script = _ROOT / "ops" / "serve"
    if not script.is_file():
        return f"{shlex.quote(sys.executable)} -m pip install 'chorus-tts[bake]'"
    # The script installs into its checkout's own environment, if none is named.
    named = "" if Path(sys.prefix) == _ROOT / ".venv" else f"CHORUS_VENV={shlex.quote(sys.prefix)} "
    return f"{named}{shlex.quote(str(script))} --full --install"
