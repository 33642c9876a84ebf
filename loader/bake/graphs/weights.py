"""A voice's weights by name, and what its layers are like beyond the weights."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loader.bake.wording import some
from loader.errors import BakeError, IntegrityError

Array = npt.NDArray[np.float32]

#: The table of the ids.
EMBEDDING = "enc_p.emb.weight"


class Weights:
    """A voice's weights by their names in the original VITS code, with every product of a normalization multiplied out."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
        """Take over the weights.

        Args:
            arrays: only the ones that speaking uses.
            path: their file, for errors.

        Raises:
            IntegrityError: one of them has NaN or an infinite value.
        """
        self._arrays = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
        self.path = path
        self._used: set[str] = set()
        self._require_finite()

    @property
    def names(self) -> list[str]:
        """The names of all weights, sorted."""
        return sorted(self._arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> Array:
        """Return a weight.

        Raises:
            BakeError: the file has no such weight.
        """
        if name not in self._arrays:
            raise BakeError(f"{self.path}: not a complete VITS: it has no weight {name!r}; export or fetch the voice again")
        self._used.add(name)
        return self._arrays[name]

    def has_layer(self, name: str) -> bool:
        """Whether any weight of the layer of that name is there."""
        return any(each.startswith(f"{name}.") for each in self._arrays)

    def count(self, prefix: str) -> int:
        """Return the number of the layers that are numbered after `prefix`, whether or not all of them are there."""
        pattern = re.compile(rf"{re.escape(prefix)}(\d+)\.")
        return max((int(found[1]) + 1 for found in map(pattern.match, self._arrays) if found), default=0)

    def require_all_used(self) -> None:
        """Refuse a network that has more than the graphs were built from.

        Raises:
            BakeError: a weight was not used.
        """
        unused = sorted(set(self._arrays) - self._used)
        if unused:
            raise BakeError(f"{self.path}: not a VITS as this version knows it: unexpected weights: {some(unused)}")

    def _require_finite(self) -> None:
        for name, array in self._arrays.items():
            if count := int((~np.isfinite(array)).sum()):
                found = f"{count} of {array.size} values of {name!r} that are NaN or infinite"
                raise IntegrityError(self.path, "finite weights", found, "train it again, or fetch an intact release")


@dataclass(frozen=True)
class Network:
    """A VITS: its weights, and the facts of its layers that do not follow from their shapes."""

    weights: Weights
    #: Stride of each upsampling of the decoder.
    strides: Sequence[int]
    #: Dilations of each residual block that follows an upsampling.
    dilations: Sequence[Sequence[int]]
    #: Layer n of each coupling of the flow has this dilation to the power of n.
    flow_dilation_rate: int = 1
    #: Of the norms of a duration predictor without noise.
    epsilon: float = 1e-5

    @property
    def embedding(self) -> Array:
        """The table of the ids, a row for each."""
        return self.weights[EMBEDDING]
