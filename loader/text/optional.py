"""Optional packages of the text side: which of our extras brings what, and the error where it is not there."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from loader.errors import MissingPackageError


@dataclass(frozen=True)
class Needs:
    """What one of our extras installs."""

    extra: str
    #: A module to import, and the name its package is installed by.
    packages: Mapping[str, str]


def require(needs: Needs, who: str) -> None:
    """Import every package of `needs`. Runs in the master before the fork, and when a voice is baked.

    Args:
        needs: the packages.
        who: what needs them, for the message.

    Raises:
        MissingPackageError: one is not installed, or does not load.
    """
    for module, package in needs.packages.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingPackageError(
                f"{who} needs the package {package}, which cannot be imported ({error}); "
                f"pip install 'chorus-tts[{needs.extra}]'"
            ) from error
