"""Sockets by path that cannot be made: refused at once, where gunicorn tries for five seconds or ends with a traceback."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from loader.config.settings import Settings
from loader.errors import ConfigError

#: Set when the listeners come from systemd or from the master before this one.
_INHERITED = ("LISTEN_FDS", "GUNICORN_FD")


def require_socket_places(addresses: Iterable[object], settings: Settings, environment: Mapping[str, str]) -> None:
    """Check the paths among gunicorn's addresses; host and port are the system's to refuse.

    Raises:
        ConfigError: a socket has no folder, or something else has its place.
    """
    if any(name in environment for name in _INHERITED):
        return
    problems = [problem for each in addresses if isinstance(each, str) and (problem := _problem(Path(each)))]
    if problems:
        raise ConfigError(settings.path, [f"bind: {problem}" for problem in problems])


def _problem(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            return f"{path.parent}: no such folder; make it, or bind another path"
        return None if os.access(path.parent, os.W_OK | os.X_OK) else f"{path.parent}: user {os.geteuid()} may not write there"
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if stat.S_ISSOCK(mode) else f"{path}: not a socket; remove it, or bind another path"
