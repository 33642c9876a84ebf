"""Mapped weights: torch tensors over an artifact's mapping of a safetensors file, without a copy."""

import copy
import json
import mmap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from loader.errors import ArtifactError

#: Tensor data is aligned to one cache line in the file, and so in memory.
ALIGNMENT_BYTES = 64

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_LENGTH_BYTES = 8


def mapped_tensors(buffer: mmap.mmap | bytes, name: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, each a view of `buffer`, which they keep alive.

    They are read-only: a write ends the process.

    Args:
        buffer: the whole, verified file.
        name: the file's name, for the error.

    Raises:
        ArtifactError: the buffer is no safetensors file.
    """
    try:
        length = int.from_bytes(buffer[:_LENGTH_BYTES], "little")
        header = json.loads(buffer[_LENGTH_BYTES : _LENGTH_BYTES + length])
        header.pop("__metadata__", None)
        start = _LENGTH_BYTES + length
        return {key: _view(buffer, start, facts) for key, facts in header.items()}
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"{name}: not a file of weights: {type(error).__name__}: {error}; bake the voice again") from error


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file whose data can be mapped and used in place. Runs in the bake child."""
    # Widest first, so that every tensor is aligned to its item's size.
    names = sorted(tensors, key=lambda each: (-tensors[each].element_size(), each))
    header: dict[str, Any] = {}
    end = 0
    for name in names:
        begin, end = end, end + tensors[name].nbytes
        header[name] = {"dtype": _NAMES[tensors[name].dtype], "shape": [*tensors[name].shape], "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % ALIGNMENT_BYTES)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
        for name in names:
            file.write(tensors[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy())


def assign(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Set `tensors` as the parameters and buffers of `module`, for inference only.

    Runs in the master, before the fork: workers inherit the views and their mapping.

    Raises:
        ArtifactError: the module has other parameters.
    """
    module.requires_grad_(False).eval()
    try:
        module.load_state_dict(dict(tensors), strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"the baked weights do not fit {type(module).__name__}: {reason}; bake the voice again") from error


def placed(module: torch.nn.Module, device: Any) -> Any:
    """Return a copy of `module` on another torch device, without an intermediate copy of the weights."""
    parameters = {id(each): torch.nn.Parameter(each.to(device), requires_grad=False) for each in module.parameters()}
    buffers = {id(each): each.to(device) for each in module.buffers()}
    return copy.deepcopy(module, {**parameters, **buffers})


@contextmanager
def without_initialisation() -> Iterator[None]:
    """Build modules without drawing random weights, because `assign` replaces them.

    On this thread random fills do nothing: memory for weights is allocated and not touched.
    Computed and constant values of constructors are unchanged.
    """
    with _NoRandomFills():
        yield


#: In-place fills, as methods of a tensor and as functions of torch.nn.init.
_FILLS = frozenset(
    "normal_ uniform_ random_ exponential_ bernoulli_ cauchy_ geometric_ log_normal_ trunc_normal_ dirac_ orthogonal_ "
    "sparse_ xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_".split()
)
_DRAWS = {torch.randn: torch.zeros, torch.rand: torch.zeros, torch.randn_like: torch.zeros_like}


class _NoRandomFills(TorchFunctionMode):  # type: ignore[misc]
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _FILLS:
            return args[0] if args else kwargs["tensor"]
        return _DRAWS.get(func, func)(*args, **kwargs)


def _view(buffer: mmap.mmap | bytes, start: int, facts: Mapping[str, Any]) -> torch.Tensor:
    dtype, shape = _DTYPES[facts["dtype"]], facts["shape"]
    begin, end = facts["data_offsets"]
    if begin == end:
        return torch.empty(shape, dtype=dtype)
    with warnings.catch_warnings():
        # torch warns that the buffer is read-only, which is intended.
        warnings.simplefilter("ignore", UserWarning)
        flat = torch.frombuffer(buffer, dtype=dtype, count=(end - begin) // dtype.itemsize, offset=start + begin)
    return flat.reshape(shape)
