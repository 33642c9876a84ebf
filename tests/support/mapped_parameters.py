"""Whether the parameters of a network lie in an artifact's mapping. Imported by programs of tests, which import torch."""

import mmap
import warnings
from collections.abc import Iterable

import torch


def parameters_elsewhere(module: torch.nn.Module, buffers: Iterable[mmap.mmap | bytes]) -> list[str]:
    """Return the names of the parameters of `module` outside of `buffers`."""
    ranges = [range(start, start + len(buffer)) for buffer in buffers for start in [_address(buffer)] if len(buffer)]
    return [
        name
        for name, parameter in module.named_parameters()
        if parameter.numel() and not any(parameter.data_ptr() in each for each in ranges)
    ]


def _address(buffer: mmap.mmap | bytes) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return int(torch.frombuffer(buffer, dtype=torch.uint8, count=1).data_ptr())
