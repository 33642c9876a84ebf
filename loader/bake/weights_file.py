"""Files of weights as people have them: torch's zip and older formats, safetensors. No code of a file is run.

torch's restricted unpickler reads them. Trainers leave more than weights beside the weights, so classes that only hold
values are accepted here by name: numpy's numbers, paths, containers, and Coqui's configurations, which are read as plain
data by a class of ours. Any other class is an error that names it.
"""

import codecs
import collections
import datetime
import decimal
import fractions
import pathlib
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch

from loader.bake.wording import one_line
from loader.errors import BakeError, LoaderError
from loader.releases.content import foreign_content

#: Coqui's own packages: their classes in a checkpoint are configurations.
_COQUI = re.compile(r"(TTS|trainer|coqpit)\.[\w.]*\b[A-Z]\w*")
#: Modules by which a file would run programs or code. Nothing of these belongs to weights.
_DANGEROUS = ("builtins", "os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "runpy", "importlib", "pty", "code")
#: A file of torch's older format holds a number, a version, a description of the machine, and the object itself.
_LEGACY_PICKLES = 4
_REFUSED = re.compile(r"(?:unsupported GLOBAL|Unsupported global: GLOBAL|Unsupported class) (\S+)")
#: Entries under which trainers keep a table of weights.
_TABLES = ("model", "state_dict", "model_state_dict", "model_state", "net")
#: Wrappers of a network, and so prefixes of all names: of several devices, and of a compiled network.
_WRAPPERS = ("module.", "_orig_mod.")
#: Length of the header's length in a safetensors file, and a bound of the header.
_LENGTH_BYTES, _MAX_HEADER_BYTES = 8, 100_000_000


class PlainData:
    """An object of a class that is not imported: its values only."""

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        """Ignore what the class was called with."""


def read_weights_file(path: Path) -> dict[str, Any]:
    """Return the content of a file of weights: tensors, plain values, and objects as dictionaries of their values.

    Raises:
        BakeError: it is another kind of file, is damaged, or holds a class that is not known to be harmless.
    """
    if found := foreign_content(path):
        raise BakeError(f"{path}: expected weights, found {found}")
    try:
        content = _read_safetensors(path) if _is_safetensors(path) else _unpickle(path)
        return {key: vars(each) if isinstance(each, PlainData) else each for key, each in dict(content).items()}
    except LoaderError:
        raise
    except Exception as error:  # reading foreign files fails in many ways
        raise BakeError(f"{path}: torch cannot read it: {one_line(error)}") from error


def weights_of(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the table of weights in a file's content, wherever its trainer keeps it, without prefixes of wrappers.

    Raises:
        BakeError: it has none.
    """
    tables = (content[name] for name in _TABLES if isinstance(content.get(name), Mapping))
    weights: Mapping[str, Any] = next(tables, content)
    if not weights or not all(isinstance(name, str) for name in weights):
        raise BakeError(f"{path}: a file without weights; expected an entry {_TABLES[0]!r}, or tensors by name")
    if weights is content and not any(isinstance(each, torch.Tensor) for each in weights.values()):
        listed = ", ".join(list(weights)[:8])
        raise BakeError(f"{path}: a file without weights: it has {listed}; expected an entry {_TABLES[0]!r}, or tensors by name")
    weights = {name: each for name, each in weights.items() if isinstance(each, torch.Tensor)}
    for prefix in _WRAPPERS:
        if weights and all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): each for name, each in weights.items()}
    return dict(weights)


def harmless_class(module: str, name: str) -> Any:
    """Return what stands for a class or function that a pickle names; None if it is not known to be harmless."""
    wanted = f"{module}.{name}"
    for each in _harmless():
        known, called = each if isinstance(each, tuple) else (each, f"{each.__module__}.{each.__qualname__}")
        if wanted == called:
            return known
    return None


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.read(_LENGTH_BYTES + 1)
    length = int.from_bytes(first[:_LENGTH_BYTES], "little")
    return first[_LENGTH_BYTES:] == b"{" and length < _MAX_HEADER_BYTES


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def _unpickle(path: Path) -> Any:
    named = _named_classes(path)
    known = [*_harmless(), *((PlainData, name) for name in named if _COQUI.fullmatch(name)), PlainData]
    with torch.serialization.safe_globals(known):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            refused = _REFUSED.search(str(error))
            if refused is None:
                raise
            first = next((each for each in named if each in (refused[1], f"builtins.{refused[1]}")), refused[1])
            raise BakeError(f"{path}: {_refusal([first, *_unknown_classes(path)], path)}") from error


def _unknown_classes(path: Path) -> list[str]:
    """Return all that torch refuses in a file of its zip format; nothing for the older one."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # the older format, or a damaged file
        return []


def _refusal(names: list[str], path: Path) -> str:
    for name in names:
        if name.split(".")[0] in _DANGEROUS:
            return (
                f"it names {name}, by which a file runs code when it is opened; "
                "do not open it, and ask its maker for a file of weights alone"
            )
    unique = list(dict.fromkeys(names))
    return (
        f"it holds an object of the class {unique[0]}, which is not opened here; if you trust the file, "
        f'write its weights alone where that class is installed: python -c "{_rewriting(unique, path)}"'
    )


def _rewriting(names: list[str], path: Path) -> str:
    """Return a line of Python that writes the weights of a file that holds objects of those classes."""
    own = [name.rpartition(".")[2] for name in names if name.startswith("__main__.")]
    others = [name for name in names if not name.startswith("__main__.")]
    imports = ", ".join(dict.fromkeys(["torch", *(name.rpartition(".")[0] for name in others)]))
    scripts = f"; from TRAINING_SCRIPT import {', '.join(own)}" if own else ""
    classes = ", ".join([*others, *(f"({name}, '__main__.{name}')" for name in own)])
    return (
        f"import {imports}{scripts}; torch.serialization.add_safe_globals([{classes}]); "
        f"c = torch.load('{path.name}', map_location='cpu'); "
        "w = c.state_dict() if hasattr(c, 'state_dict') else c.get('model', c); torch.save({'model': w}, 'weights.pth')"
    )


def _harmless() -> list[Any]:
    """Return classes and functions that hold or make plain values, with the names they have had, for torch's unpickler."""
    from numpy._core import multiarray, numeric

    kinds = [kind for kind in vars(np.dtypes).values() if isinstance(kind, type)]
    numbers = {each for each in vars(np).values() if isinstance(each, type) and issubclass(each, np.generic)} - {np.void}
    plain = [set, frozenset, slice, complex, int, float, bool, str, list, tuple, dict]
    named: list[tuple[Any, str]] = [(each, f"builtins.{each.__name__}") for each in plain]
    for package in ("numpy._core", "numpy.core"):
        named += [(multiarray.scalar, f"{package}.multiarray.scalar")]
        named += [(multiarray._reconstruct, f"{package}.multiarray._reconstruct")]
        named += [(vars(numeric)["_frombuffer"], f"{package}.numeric._frombuffer")]
    for module in ("pathlib", "pathlib._local"):
        for name in ("Path", "PosixPath", "PurePath", "PurePosixPath"):
            named.append((pathlib.PurePosixPath, f"{module}.{name}"))
        named += [(pathlib.PureWindowsPath, f"{module}.{name}") for name in ("WindowsPath", "PureWindowsPath")]
    named += [(_plain_dictionary, "collections.defaultdict"), (PlainData, "argparse.Namespace")]
    named += [(PlainData, "types.SimpleNamespace")]
    times = [datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone]
    containers = [collections.Counter, collections.OrderedDict, decimal.Decimal, fractions.Fraction]
    return [np.ndarray, np.dtype, *kinds, *numbers, *containers, *times, (codecs.encode, "_codecs.encode"), *named]


def _plain_dictionary(_default: Any = None, *_rest: Any) -> dict[Any, Any]:
    """Stand in for a dictionary with a default, which reading does not need."""
    return {}


def _named_classes(path: Path) -> list[str]:
    """Return what the pickles of a torch file name, without running them; nothing if they cannot be parsed."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inner = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
                with archive.open(inner) as file:
                    return list(_globals_in(file, 1))
        with path.open("rb") as file:
            return list(_globals_in(file, _LEGACY_PICKLES))
    except Exception:  # a damaged file fails in many ways; torch's own error is better
        return []


def _globals_in(file: Any, pickles: int) -> Iterator[str]:
    from torch._utils import IMPORT_MAPPING, NAME_MAPPING

    for _ in range(pickles):
        for operation, argument, _place in pickletools.genops(cast(BinaryIO, _Unseekable(file))):
            if operation.name == "GLOBAL" and isinstance(argument, str):
                module, _, name = argument.partition(" ")
                module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
                yield f"{module}.{name}"


class _Unseekable:
    """A file without positions, which pickletools would ask for at each operation."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.readline = file.read, file.readline
