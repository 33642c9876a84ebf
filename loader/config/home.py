"""The home folder, which a process may not have: a user without an entry in the user database, started without HOME."""

import atexit
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from loader.errors import StoreError


def home_folder() -> str | None:
    """Return the folder that `~` means: HOME, else that of the user database; None if neither is an absolute path."""
    home = os.environ.get("HOME")
    if home is None:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    return home if os.path.isabs(home) else None


def expand_home(path: str) -> str | None:
    """Return a path with its `~` replaced; None if there is no home folder.

    Unlike Path.expanduser, this keeps `~name` as it is if there is no such user.
    """
    if path != "~" and not path.startswith("~/"):
        return os.path.expanduser(path)
    home = home_folder()
    return None if home is None else os.path.join(home, path[2:])


def provide_cache_folder() -> None:
    """Provide a cache folder for libraries: the user's, else one that is removed when this process ends.

    numba and librosa search for one when they are imported, and fail with a traceback if the home folder is missing or
    cannot be written. Sets XDG_CACHE_HOME, for this process and its children.

    Raises:
        StoreError: no temporary folder can be made either.
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
    configured = os.environ.get("XDG_CACHE_HOME", "")
    home = home_folder()
    if os.path.isabs(configured):
        folder = Path(configured)
    elif home is not None:
        folder = Path(home, ".cache")
    else:
        return False
    # Libraries create the missing part of the path.
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # forks share the folder, and run this when they end
        shutil.rmtree(folder, ignore_errors=True)
