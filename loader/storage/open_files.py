"""Which files the processes of this machine have open or mapped."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


class OpenFiles:
    """The open and mapped files of every process that this user may read, at one moment.

    A file is known by its inode and its name: the numbers of devices in `maps` differ from those of `stat` on some file
    systems, and paths differ between containers. So a file may count as open though it is not, never the reverse.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._seen = frozenset(_seen(proc))

    def holds(self, path: Path) -> bool:
        """Whether a process has the file open, or any file below the folder."""
        return any((each.lstat().st_ino, each.name) in self._seen for each in _files(path))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def _seen(proc: Path) -> Iterator[tuple[int, str]]:
    for process in proc.iterdir():
        if process.name.isdecimal():
            # It may have ended, or belong to another user.
            with suppress(OSError):
                yield from _mapped(process / "maps")
            with suppress(OSError):
                yield from _opened(process / "fd")


def _mapped(maps: Path) -> Iterator[tuple[int, str]]:
    for line in maps.read_bytes().splitlines():
        _range, _mode, _offset, _device, inode, *path = os.fsdecode(line).split(maxsplit=5)
        if path and inode != "0":
            yield int(inode), _name(path[0])


def _opened(descriptors: Path) -> Iterator[tuple[int, str]]:
    for descriptor in descriptors.iterdir():
        with suppress(OSError):  # closed meanwhile
            yield descriptor.stat().st_ino, _name(os.readlink(descriptor))


def _name(path: str) -> str:
    return os.path.basename(path.removesuffix(" (deleted)"))
