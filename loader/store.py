"""Folders that are published whole or not at all, whoever is killed and whatever disk is full."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from loader.files import exclusive, flush, flush_tree


class Store:
    """A folder of named folders, shared by any number of processes."""

    def __init__(self, directory: Path, proof: str) -> None:
        """Keep folders in `directory`; one that holds a file named `proof` is whole."""
        self._directory = directory
        self._proof = proof

    def find(self, key: str) -> Path | None:
        """Return the published folder of that key, if there is one."""
        directory = self._directory / key
        return directory if (directory / self._proof).is_file() else None

    def publish(self, key: str, make: Callable[[Path], None], anew: bool = False) -> Path:
        """Return the folder of `key`; have `make` fill an empty one if it is not there yet,
        or in its place where `anew` is set.

        One process makes it, others wait for it. The folder gets its name only when
        every byte is on the disk. What a killed process left half-made is swept up by
        the next one that makes the same key.
        """
        target = self._directory / key
        with exclusive(self._directory / f".{key}.lock"):
            if self.find(key) and not anew:
                return target
            for leftover in self._directory.glob(f".{key}.*.tmp"):
                shutil.rmtree(leftover, ignore_errors=True)
            aside = Path(tempfile.mkdtemp(prefix=f".{key}.", suffix=".tmp", dir=self._directory))
            try:
                make(aside)
                flush_tree(aside)
                # Processes that have the old one open keep their mappings of its files.
                shutil.rmtree(target, ignore_errors=True)
                aside.rename(target)
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
            flush(self._directory)
        return target
