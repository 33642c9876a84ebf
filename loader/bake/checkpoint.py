"""Coqui's weights and statistics: they fit their network, and every value is finite. No code of a file is run."""

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loader.bake.weights_file import harmless_class
from loader.bake.wording import one_line
from loader.engines.coqui.building import STATISTICS
from loader.errors import BakeError, IntegrityError
from loader.releases.content import foreign_content

#: Embeddings with one row for each of something that other files count, by the end of their names.
_COUNTED = {
    "emb_g.weight": "speakers",
    "speaker_embedding.weight": "speakers",
    "emb_l.weight": "languages",
    "text_encoder.emb.weight": "characters",
    "encoder.emb.weight": "characters",
    "emb.weight": "characters",
    "embedding.weight": "characters",
}


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


def load_weights(module: Any, weights: Any, path: Path) -> None:
    """Load a checkpoint's weights into `module`.

    Raises:
        BakeError: they do not fit.
        IntegrityError: one of them is not finite.
    """
    require_shapes(module, weights, path)
    try:
        module.load_state_dict(weights, strict=True)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise BakeError(f"{path}: its weights do not fit the configuration: {one_line(error)}") from error
    require_finite(dict(module.named_parameters()), path)
    # Some buffers are masks with infinite values.
    require_finite({name: each.nan_to_num(math.nan, 0.0, 0.0) for name, each in module.named_buffers()}, path)
    module.requires_grad_(False).eval()


def require_shapes(module: Any, weights: Mapping[str, Any], path: Path) -> None:
    """Refuse weights of another shape than the configuration makes them.

    Raises:
        BakeError: names the first one, both shapes, and what to do.
    """
    for name, own in module.state_dict().items():
        there = weights.get(name)
        if isinstance(there, torch.Tensor) and there.shape != own.shape:
            raise BakeError(f"{path}: its weights do not fit config.json: {_difference(name, there, own)}")


def _difference(name: str, there: torch.Tensor, own: torch.Tensor) -> str:
    counted = next((what for end, what in _COUNTED.items() if name == end or name.endswith(f".{end}")), None)
    if counted and there.shape[1:] == own.shape[1:]:
        return (
            f"{name} has {len(there)} rows, and the configuration has {len(own)} {counted}; "
            f"take the list of {counted} of the same training, or change it to {len(there)}"
        )
    shapes = [" x ".join(map(str, each.shape)) or "a number" for each in (there, own)]
    return f"{name} is {shapes[0]}, and {shapes[1]} by the configuration; take the config.json of the same training"


def read_statistics(path: Path) -> dict[str, torch.Tensor]:
    """Return the means and deviations of Coqui's `scale_stats.npy`, which contains a pickle.

    Raises:
        BakeError: another kind of file, or a pickle of more than arrays and plain values.
    """
    if found_instead := foreign_content(path):
        raise BakeError(f"{path}: expected statistics, found {found_instead}")
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
    """Unpickler of arrays and of other plain values."""

    def find_class(self, module: str, name: str) -> Any:
        found = harmless_class(module, name)
        if found is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return found
