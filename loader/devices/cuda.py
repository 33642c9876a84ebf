"""An NVIDIA device through torch. Imports torch when it is opened, and calls CUDA not before."""

import gc
from typing import Any

from loader.errors import DeviceError, NoDeviceError

#: What errors say whose class does not: cuBLAS and cuDNN find no room for their own tables either.
_OUT_OF_MEMORY = (
    "CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)  # fmt: skip
#: What this process hears from the device ever after a kernel of it went wrong.
_POISONED = (
    "CUDA error:", "device-side assert", "illegal memory access", "unspecified launch failure",
    "CUDNN_STATUS_EXECUTION_FAILED", "CUDNN_STATUS_INTERNAL_ERROR", "CUBLAS_STATUS_EXECUTION_FAILED",
)  # fmt: skip


class CudaDevice:
    """One CUDA device (see `device.Device`). May be made in the master; all else belongs after the fork."""

    def __init__(self, name: str) -> None:
        """Name a device: `cuda`, which is the first one, or `cuda:N`."""
        self.name = name
        self._index = int(name.partition(":")[2] or 0)

    def require_library(self) -> None:
        """Check that torch knows CUDA at all. Calls nothing of it, so that a master may ask.

        Raises:
            NoDeviceError: torch was built without CUDA.
        """
        torch = _torch()
        if not torch.backends.cuda.is_built():
            raise NoDeviceError(
                f"device {self.name}: the installed torch {torch.__version__} was built without CUDA; "
                "install a build with CUDA, or set device: cpu"
            )

    def open(self) -> None:
        """Initialise CUDA, and have the device multiply in full precision, as the CPU does.

        How torch's allocator works is left to whoever set PYTORCH_CUDA_ALLOC_CONF.

        Raises:
            NoDeviceError: torch was built without CUDA, or there is no device of that number.
            DeviceError: the driver refuses.
        """
        self.require_library()
        torch = _torch()
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        try:
            torch.cuda.init()
            self._require_index(torch.cuda.device_count())
            # The context, which takes hundreds of megabytes, is made by the first allocation.
            torch.zeros(1, device=self.name)
            torch.cuda.synchronize(self.name)
        except (RuntimeError, AssertionError) as error:
            if self.is_out_of_memory(error):
                raise
            raise DeviceError(f"device {self.name}: {error}; mend it, or set device: cpu") from error

    def free_bytes(self) -> int:
        """Return how much memory of the device is free, to any process."""
        return int(_torch().cuda.mem_get_info(self.name)[0])

    def held_bytes(self) -> int:
        """Return what torch's allocator has handed out."""
        return int(_torch().cuda.memory_allocated(self.name))

    def release(self) -> None:
        """Give back the blocks that torch's allocator keeps for later."""
        # A tensor in a cycle is freed by the collector alone.
        gc.collect()
        _torch().cuda.empty_cache()

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the device's memory was full, whichever of its libraries found it so."""
        return isinstance(error, _torch().OutOfMemoryError) or _says(error, _OUT_OF_MEMORY)

    def is_poisoned(self, error: BaseException) -> bool:
        """Whether a kernel went wrong, after which CUDA refuses everything to this process."""
        if self.is_out_of_memory(error):
            return False
        return isinstance(error, _torch().AcceleratorError) or _says(error, _POISONED)

    def _require_index(self, count: int) -> None:
        if self._index >= count:
            raise NoDeviceError(f"device {self.name}: this machine has {count} CUDA devices, numbered from 0")


def _says(error: BaseException, phrases: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in phrases)


def _torch() -> Any:
    import torch

    return torch
