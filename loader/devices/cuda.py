"""An NVIDIA device through torch. torch is imported when the device is opened, and CUDA is not called before."""

import gc
from typing import Any

from loader.errors import DeviceError, NoDeviceError

#: Texts of out-of-memory errors without a class of their own: cuBLAS and cuDNN allocate tables too.
_OUT_OF_MEMORY = (
    "CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)  # fmt: skip
#: Texts of every error after a kernel of this process has failed.
_POISONED = (
    "CUDA error:", "device-side assert", "illegal memory access", "unspecified launch failure",
    "CUDNN_STATUS_EXECUTION_FAILED", "CUDNN_STATUS_INTERNAL_ERROR", "CUBLAS_STATUS_EXECUTION_FAILED",
)  # fmt: skip


class CudaDevice:
    """One CUDA device (see `accelerator.Device`). May be made in the master; opened after the fork."""

    def __init__(self, name: str) -> None:
        """Take a name: `cuda`, which is the first device, or `cuda:N`."""
        self.name = name
        self._index = int(name.partition(":")[2] or 0)

    def require_library(self) -> None:
        """Check that torch was built with CUDA. Makes no CUDA call, so the master may check.

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
        """Initialize CUDA with full precision, as on the CPU. torch's allocator is configured by PYTORCH_CUDA_ALLOC_CONF.

        Raises:
            NoDeviceError: torch was built without CUDA, or the driver has no device of that number.
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
            # 0 without a driver, or with one that is too old.
            self._require_index(torch.cuda.device_count(), f": {error}")
            raise DeviceError(f"device {self.name}: {error}; repair it, or set device: cpu") from error

    def free_bytes(self) -> int:
        """Return how much memory of the device is free, to any process."""
        return int(_torch().cuda.mem_get_info(self.name)[0])

    def held_bytes(self) -> int:
        """Return the bytes of all live tensors."""
        return int(_torch().cuda.memory_allocated(self.name))

    def release(self) -> None:
        """Free the blocks that torch's allocator caches."""
        # A tensor in a cycle is freed by the collector only.
        gc.collect()
        _torch().cuda.empty_cache()

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the device's memory was full, for torch or for one of the libraries under it."""
        return isinstance(error, _torch().OutOfMemoryError) or _has_text(error, _OUT_OF_MEMORY)

    def is_poisoned(self, error: BaseException) -> bool:
        """Whether a kernel failed, after which CUDA refuses every call of this process."""
        if self.is_out_of_memory(error):
            return False
        return isinstance(error, _torch().AcceleratorError) or _has_text(error, _POISONED)

    def _require_index(self, count: int, reason: str = "") -> None:
        if self._index >= count:
            raise NoDeviceError(f"device {self.name}: this machine has {count} CUDA devices, numbered from 0{reason}")


def _has_text(error: BaseException, phrases: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in phrases)


def _torch() -> Any:
    import torch

    return torch
