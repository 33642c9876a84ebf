"""What a release holds beside the configuration: checkpoints and statistics, read without running what is in them."""

import math
import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loader.bake.checkpoint import one_line, require_finite
from loader.engines.coqui.building import STATISTICS
from loader.errors import BakeError


def read_checkpoint(path: Path, allowing: AbstractContextManager[Any] | None = None) -> dict[str, Any]:
    """Return all of a checkpoint, tensors and plain values only.

    Args:
        path: a file of the release.
        allowing: entered meanwhile, to let torch make some of Coqui's own classes too.

    Raises:
        BakeError: torch cannot read it so.
    """
    try:
        with allowing or nullcontext():
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return dict(checkpoint)
    except Exception as error:  # unpickling foreign files fails in many ways
        raise BakeError(f"{path}: torch cannot read it: {one_line(error)}") from error


def load_weights(module: Any, weights: Any, path: Path) -> None:
    """Give `module` the weights of a checkpoint, as Coqui gives them.

    Raises:
        BakeError: they do not fit.
        IntegrityError: one of them is not finite.
    """
    try:
        module.load_state_dict(weights, strict=True)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise BakeError(f"{path}: its weights do not fit the configuration: {one_line(error)}") from error
    require_finite(dict(module.named_parameters()), path)
    # Of the buffers some are masks, and infinite on purpose.
    require_finite({name: each.nan_to_num(math.nan, 0.0, 0.0) for name, each in module.named_buffers()}, path)
    module.requires_grad_(False).eval()


def read_statistics(path: Path) -> dict[str, torch.Tensor]:
    """Return the means and deviations of Coqui's `scale_stats.npy`, which is a pickle inside.

    Raises:
        BakeError: it is anything else, or holds anything but arrays and plain values.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            (np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
            statistics: Mapping[str, Any] = _ArraysOnly(file).load().item()
        found = {name: torch.from_numpy(np.array(statistics[name])) for name in STATISTICS}
    except Exception as error:  # a foreign file: unpickling fails in many ways
        raise BakeError(f"{path}: no statistics of Coqui's: {one_line(error)}") from error
    require_finite(found, path)
    return found


class _ArraysOnly(pickle.Unpickler):
    """Makes numpy's arrays and numbers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        parts = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}
        if module.split(".")[0] == "numpy" and name in parts:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")
