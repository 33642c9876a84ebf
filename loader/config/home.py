"""The home folder, which a process may not have: a user without an entry in the user database, started without HOME."""

import atexit
import os
import pwd
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from loader.errors import StoreError

#: The folder of libraries' caches in `cache_dir`, and numba's own variable.
_LIBRARIES, _NUMBA = "libraries", "NUMBA_CACHE_DIR"


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


def place_library_caches(cache_dir: Path) -> None:
    """Have libraries keep their caches below `cache_dir`, as far as nothing else is configured or can be written.

    Runs before anything imports numba, which otherwise looks for a folder beside the sources or in the home. Makes no folder:
    the libraries do. Sets NUMBA_CACHE_DIR, and XDG_CACHE_HOME and TMPDIR if it must, for this process and its children.

    Args:
        cache_dir: the configured one; ignored if it cannot be written.
    """
    folder = cache_dir / _LIBRARIES
    if not _can_write(folder):
        return
    os.environ.setdefault(_NUMBA, str(folder / "numba"))
    if not _has_cache_folder():
        os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        tempfile.gettempdir()
    except OSError:
        # A read-only root without a folder for temporary files.
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            os.environ["TMPDIR"] = str(folder)


def provide_cache_folder() -> None:
    """Provide a cache folder for libraries: the user's, else one that is removed when this process ends.

    numba and librosa search for one when they are imported, and fail with a traceback if the home folder is missing or
    cannot be written. Sets XDG_CACHE_HOME, for this process and its children.

    Raises:
        StoreError: no temporary folder can be made either, or NUMBA_CACHE_DIR names one that cannot be written.
    """
    configured = os.environ.get(_NUMBA)
    if configured and not _can_write(Path(configured)):
        raise StoreError(
            f"{_NUMBA} is {configured}, where user {os.getuid()} cannot write; "
            "unset it, or set it to a folder that can be written"
        )
    if _has_cache_folder():
        return
    try:
        folder = tempfile.mkdtemp(prefix="chorus-caches-")
    except OSError as error:
        raise StoreError(
            f"libraries that Coqui imports have no folder to keep caches in ({error.strerror or error}); "
            "set cache_dir, HOME or TMPDIR to a folder that can be written"
        ) from error
    os.environ["XDG_CACHE_HOME"] = folder
    atexit.register(_remove, folder, os.getpid())


def _has_cache_folder() -> bool:
    configured = os.environ.get("XDG_CACHE_HOME", "")
    home = home_folder()
    if os.path.isabs(configured):
        return _can_write(Path(configured))
    return home is not None and _can_write(Path(home, ".cache"))


def _can_write(folder: Path) -> bool:
    """Whether a folder can be written, or made: libraries create the missing part of the path."""
    nearest = next((each for each in (folder, *folder.parents) if os.path.exists(each)), None)
    return nearest is not None and nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # forks share the folder, and run this when they end
        shutil.rmtree(folder, ignore_errors=True)
