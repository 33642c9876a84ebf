"""The store: folders that are published atomically, even if the process is killed or the disk is full."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from loader.errors import StoreError
from loader.storage.files import exclusive, flush, flush_tree, remedy_for


class Store:
    """A folder of named folders, shared by any number of processes."""

    def __init__(self, directory: Path, proof: str) -> None:
        """Keep folders in `directory`; one with a file named `proof` is complete."""
        self._directory = directory
        self._proof = proof

    def find(self, key: str) -> Path | None:
        """Return the published folder of that key; None if there is none."""
        directory = self._directory / key
        return directory if (directory / self._proof).is_file() else None

    def publish(self, key: str, make: Callable[[Path], object], anew: bool = False) -> Path:
        """Return the folder of `key`, filled by `make` if it does not exist, or replaced if `anew`.

        One process makes it, others wait. The folder gets its name when every byte is on the
        disk. Leftovers of a killed process are removed by the next one that publishes the key.

        Raises:
            StoreError: the disk is full, or the folder cannot be written.
        """
        try:
            return self._publish(key, make, anew)
        except OSError as error:
            remedies = ", or ".join(filter(None, (remedy_for(error), "set cache_dir to another folder")))
            raise StoreError(f"{self._directory}: {key} cannot be stored ({error}); {remedies}") from error

    def _publish(self, key: str, make: Callable[[Path], object], anew: bool) -> Path:
        target = self._directory / key
        # No key holds a tilde, so that one key's leftovers are never another's.
        prefix, suffix = f".{key}~", ".tmp"
        with exclusive(self._directory / f".{key}.lock"):
            self._sweep(f"{prefix}*{suffix}")
            if self.find(key) and not anew:
                return target
            aside = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=self._directory))
            try:
                make(aside)
                aside.chmod(0o755)
                flush_tree(aside)
                if target.exists():
                    # Renamed, not removed: a folder that is being emptied would still look complete.
                    # Processes that have it open keep their mappings of its files.
                    target.rename(f"{aside.with_suffix('')}.old{suffix}")
                aside.rename(target)
                flush(self._directory)
            finally:
                self._sweep(f"{prefix}*{suffix}")
        return target

    def _sweep(self, pattern: str) -> None:
        for leftover in self._directory.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)
