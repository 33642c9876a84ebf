"""Reading what Coqui wrote: its configurations and its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.artifacts.release import Release
from loader.errors import BakeError, IntegrityError


def read_config(release: Release) -> Any:
    """Return Coqui's configuration of `release`, the files it names looked for in the release and nowhere else.

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


def read_weights(path: Path) -> Any:
    """Return the state dict under `model` of a checkpoint, tensors and plain values only.

    Raises:
        BakeError: torch cannot read it so.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)["model"]
    except Exception as error:  # unpickling foreign files fails in many ways
        raise BakeError(f"{path}: torch cannot read it: {one_line(error)}") from error


def require_finite(tensors: Mapping[str, Any], path: Path) -> None:
    """Refuse weights that make no sound.

    Args:
        tensors: by their names, as far as speaking uses them.
        path: the file that they were read from.

    Raises:
        IntegrityError: one holds NaN or an infinite value.
    """
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and (count := int((~torch.isfinite(tensor)).sum())):
            found = f"{count} of {tensor.numel()} values of {name!r} that are NaN or infinite"
            raise IntegrityError(path, "finite weights", found, "train it again, or fetch a sound release")


def one_line(error: Exception) -> str:
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 300 else line[:297] + "..."


def some(keys: list[str]) -> str:
    shown = ", ".join(keys[:5]) or "none"
    return shown if len(keys) <= 5 else f"{shown} and {len(keys) - 5} more"


#: Files that a configuration names by the paths of the machine it was trained on.
_NAMED_FILES = ("speakers_file", "speaker_file", "d_vector_file", "language_ids_file", "tokenizer_file")
#: A speaker encoder computes vectors from recordings; the vectors themselves are in the release.
_NEVER_READ = ("speaker_encoder_model_path", "speaker_encoder_config_path")


def _keep_within(release: Release, holder: Any) -> None:
    if holder is None:
        return
    for key in _NAMED_FILES:
        named = holder.get(key, None)
        if isinstance(named, list):
            holder[key] = [_sealed(release, key, each) for each in named]
        elif named:
            holder[key] = _sealed(release, key, named)
    for key in _NEVER_READ:
        if holder.get(key, None):
            holder[key] = ""


def _sealed(release: Release, key: str, named: str) -> str:
    name = Path(named).name
    if name not in release.hashes:
        raise BakeError(f"{release.config_path}: {key} names {name}, which hash.sha256 does not list; add it and seal again")
    return str(release.directory / name)
