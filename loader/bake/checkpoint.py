"""Readers of Coqui's configurations, checkpoints and statistics. None runs code from the files."""

import math
import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loader.engines.coqui.building import STATISTICS
from loader.errors import BakeError, IntegrityError
from loader.releases.release import Release

#: Files that a configuration names by paths of the machine of its training.
_NAMED_FILES = ("speakers_file", "speaker_file", "d_vector_file", "language_ids_file", "tokenizer_file")
#: A speaker encoder computes vectors from recordings; the vectors themselves are in the release.
_NEVER_READ = ("speaker_encoder_model_path", "speaker_encoder_config_path")


def read_config(release: Release) -> Any:
    """Return Coqui's configuration of `release`, with the paths of its files in the release.

    Raises:
        BakeError: Coqui cannot read it, or it names a file that is not listed in hash.sha256.
    """
    from TTS.config import load_config

    try:
        config = load_config(release.config_path)
    except Exception as error:  # Coqui's readers share no base class of errors
        raise BakeError(f"{release.config_path}: Coqui cannot read it: {one_line(error)}") from error
    for holder in (config, config.get("model_args")):
        _keep_within(release, holder)
    return config


def require_finite(tensors: Mapping[str, Any], path: Path) -> None:
    """Refuse weights that are not finite.

    Args:
        tensors: the tensors that speaking uses, by name.
        path: their file.

    Raises:
        IntegrityError: one holds NaN or an infinite value.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and (count := int((~torch.isfinite(tensor)).sum())):
            found = f"{count} of {tensor.numel()} values of {name!r} that are NaN or infinite"
            raise IntegrityError(path, "finite weights", found, "train it again, or fetch an intact release")


def one_line(error: Exception) -> str:
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 300 else line[:297] + "..."


def some(keys: list[str]) -> str:
    shown = ", ".join(keys[:5]) or "none"
    return shown if len(keys) <= 5 else f"{shown} and {len(keys) - 5} more"


def _keep_within(release: Release, holder: Any) -> None:
    if holder is None:
        return
    for key in _NAMED_FILES:
        named = holder.get(key, None)
        if isinstance(named, list):
            holder[key] = [_path_in_release(release, key, each) for each in named]
        elif named:
            holder[key] = _path_in_release(release, key, named)
    for key in _NEVER_READ:
        if holder.get(key, None):
            holder[key] = ""


def _path_in_release(release: Release, key: str, named: str) -> str:
    name = Path(named).name
    if name not in release.hashes:
        raise BakeError(f"{release.config_path}: {key} names {name}, which hash.sha256 does not list; add it and seal again")
    return str(release.directory / name)


def read_checkpoint(path: Path, safe_globals: AbstractContextManager[Any] | None = None) -> dict[str, Any]:
    """Return a checkpoint's content, tensors and plain values only.

    Args:
        path: a file of the release.
        safe_globals: a context in which torch accepts further classes.

    Raises:
        BakeError: torch cannot read it safely.
    """
    try:
        with safe_globals or nullcontext():
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return dict(checkpoint)
    except Exception as error:  # unpickling foreign files fails in many ways
        raise BakeError(f"{path}: torch cannot read it: {one_line(error)}") from error


def load_weights(module: Any, weights: Any, path: Path) -> None:
    """Load a checkpoint's weights into `module`.

    Raises:
        BakeError: they do not fit.
        IntegrityError: one of them is not finite.
    """
    try:
        module.load_state_dict(weights, strict=True)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise BakeError(f"{path}: its weights do not fit the configuration: {one_line(error)}") from error
    require_finite(dict(module.named_parameters()), path)
    # Some buffers are masks with infinite values.
    require_finite({name: each.nan_to_num(math.nan, 0.0, 0.0) for name, each in module.named_buffers()}, path)
    module.requires_grad_(False).eval()


def read_statistics(path: Path) -> dict[str, torch.Tensor]:
    """Return the means and deviations of Coqui's `scale_stats.npy`, which contains a pickle.

    Raises:
        BakeError: another kind of file, or a pickle of more than arrays and plain values.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            (np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
            statistics: Mapping[str, Any] = _ArraysOnly(file).load().item()
        found = {name: torch.from_numpy(np.array(statistics[name])) for name in STATISTICS}
    except Exception as error:  # a foreign file: unpickling fails in many ways
        raise BakeError(f"{path}: not a statistics file of Coqui: {one_line(error)}") from error
    require_finite(found, path)
    return found


class _ArraysOnly(pickle.Unpickler):
    """Unpickler of numpy's arrays and numbers only."""

    def find_class(self, module: str, name: str) -> Any:
        parts = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}
        if module.split(".")[0] == "numpy" and name in parts:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")
