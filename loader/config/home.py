"""The home folder, which a process need not have: a user without an entry in the user database, started without HOME."""

import atexit
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from loader.errors import StoreError


def home_folder() -> str | None:
    """Return what `~` stands for: HOME, else what the user database says; None if neither is an absolute path."""
    home = os.environ.get("HOME")
    if home is None:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    return home if os.path.isabs(home) else None


def expanded(written: str) -> str | None:
    """Return `written` with its `~` replaced; None if that has no meaning here.

    Unlike Path.expanduser, this leaves `~somebody` alone if there is no such user.
    """
    if written != "~" and not written.startswith("~/"):
        return os.path.expanduser(written)
    home = home_folder()
    return None if home is None else os.path.join(home, written[2:])


def provide_cache_folder() -> None:
    """Make sure that libraries find a folder for what they cache, if need be one that ends with this process.

    numba and librosa look for one when they are imported, and end with a traceback if there is
    no home, or one that cannot be written. Sets XDG_CACHE_HOME, for this process and its children.

    Raises:
        StoreError: there is no folder for temporary files either.
    """
    if _has_cache_folder():
        return
    try:
        folder = tempfile.mkdtemp(prefix="chorus-caches-")
    except OSError as error:
        raise StoreError(
            f"libraries that Coqui imports have no folder to keep caches in ({error.strerror or error}); "
            "set HOME or TMPDIR to a folder that can be written"
        ) from error
    os.environ["XDG_CACHE_HOME"] = folder
    atexit.register(_remove, folder, os.getpid())


def _has_cache_folder() -> bool:
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    home = home_folder()
    if os.path.isabs(chosen):
        folder = Path(chosen)
    elif home is not None:
        folder = Path(home, ".cache")
    else:
        return False
    # Libraries make what is missing of the path.
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # its forks share the folder, and their ends run this too
        shutil.rmtree(folder, ignore_errors=True)
