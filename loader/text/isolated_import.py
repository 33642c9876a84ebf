"""Isolated import: a few pure-Python modules of a large package without the package itself.

`import TTS` imports torch. So the bake copies the sources of Coqui's cleaners into the
artifact, and they are imported from there under empty parent packages. Afterwards the
names are removed from `sys.modules`: the real package can be imported in the same process,
and two artifacts may have two versions of the same module.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

#: Returns the source of a module; None for a package or an unknown name.
ReadSource = Callable[[str], bytes | None]

_import_lock = threading.Lock()


def import_privately(root: str, names: Sequence[str], read_source: ReadSource) -> list[ModuleType]:
    """Import `names`, all of them below the package `root`, from the sources `read_source` gives.

    Packages on the way are empty: their own `__init__` is not run. Runs in the master
    before the fork; nothing of `root` stays in `sys.modules`.
    """
    with _import_lock, _withdrawn(root):
        finder = _SourceFinder(root, read_source)
        sys.meta_path.insert(0, finder)
        try:
            return [importlib.import_module(name) for name in names]
        finally:
            sys.meta_path.remove(finder)
            finder.close()


@contextmanager
def _withdrawn(root: str) -> Iterator[None]:
    """Hide every module of `root` meanwhile."""

    def of_root() -> list[str]:
        # A copy: another thread may import meanwhile.
        return [name for name in list(sys.modules) if name == root or name.startswith(root + ".")]

    hidden = {name: sys.modules.pop(name) for name in of_root()}
    try:
        yield
    finally:
        for name in of_root():
            del sys.modules[name]
        sys.modules.update(hidden)


class _SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and runs the modules of one root from given sources, during one import."""

    def __init__(self, root: str, read_source: ReadSource) -> None:
        self._root = root
        self._read_source = read_source

    def close(self) -> None:
        """Release the sources: the imported modules refer to this object in cycles, and would keep a mapping of them."""
        self._read_source = lambda name: None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._root and not fullname.startswith(self._root + "."):
            return None
        is_package = self._read_source(fullname) is None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        source = self._read_source(module.__name__)
        if source is not None:
            exec(compile(source, f"<{module.__name__}>", "exec"), module.__dict__)
