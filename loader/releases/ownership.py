"""Who can change a directory: an unsealed model is served only if this user and root alone can write it."""

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_ACCESS_LIST = "system.posix_acl_access"


def find_other_writer(directory: Path, names: Iterable[str]) -> str | None:
    """Return which other users can change the files, as a clause with the path and the remedy; None if no other user can.

    Checks the files, what links point to, and every folder above them: a user who can write there can replace what is below.

    Args:
        directory: an existing folder.
        names: files in it.

    Raises:
        OSError: one of them does not exist, or cannot be looked at.
    """
    for path in dict.fromkeys(_paths(directory, names)):
        status = path.stat()
        problem = _problem(path, status)
        # A folder such as /tmp, in which users can replace only what is their own.
        is_shared = path.is_dir() and status.st_mode & stat.S_ISVTX and status.st_uid in _trusted() and path != directory
        if problem and not is_shared:
            return f"{path}: {problem}"
    return None


def _paths(directory: Path, names: Iterable[str]) -> Iterator[Path]:
    for path in (directory, *(directory / name for name in names)):
        # As it is written, and where links lead: both ways can be changed.
        for way in (path.absolute(), path.resolve()):
            yield way
            yield from way.parents


def _problem(path: Path, status: os.stat_result) -> str | None:
    if status.st_uid not in _trusted():
        return f"belongs to {_user(status.st_uid)}; it must belong to {_user(os.geteuid())} or root"
    if status.st_mode & stat.S_IWOTH:
        return "every user can write it; chmod o-w"
    if status.st_mode & stat.S_IWGRP and not _is_private(path, status.st_gid):
        return f"group {_group(status.st_gid)} can write it; chmod g-w"
    return None


def _trusted() -> set[int]:
    return {0, os.geteuid()}


def _is_private(path: Path, group: int) -> bool:
    """Whether a group has only this user and root. With an access list the bits of the mode mean something else."""
    with suppress(OSError):
        if _ACCESS_LIST in os.listxattr(path):
            return False
    if group == 0 and os.geteuid() == 0:
        return set(_members(0)) <= {"root"}
    with suppress(KeyError):
        own = pwd.getpwuid(os.geteuid())
        return group == own.pw_gid and _group(group) == own.pw_name and set(_members(group)) <= {own.pw_name}
    return False


def _members(group: int) -> list[str]:
    with suppress(KeyError):
        return grp.getgrgid(group).gr_mem
    return []


def _group(group: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(group).gr_name
    return str(group)


def _user(user: int) -> str:
    with suppress(KeyError):
        return f"{pwd.getpwuid(user).pw_name} ({user})"
    return f"user {user}"
