"""loader.devices.cuda on a machine without CUDA, in a child process that imports torch."""

import json

import pytest

from tests.loader.children import answer_of

OPENED = """
    import json, sys
    from loader.devices.cuda import CudaDevice
    device = CudaDevice("cuda:0")
    before = "torch" in sys.modules
    import torch
"""

FULL = [
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 139 GiB",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
]
LOST = [
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: device-side assert triggered",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
]
NEITHER = [
    "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory",
]


def test_a_torch_without_cuda_is_named_and_the_error_is_permanent():
    assert [False, "NoDeviceError", True, 69, False] == answer_of(OPENED + """
    try:
        device.open()
    except Exception as error:
        said = error
    assert "built without CUDA" in str(said) and "set device: cpu" in str(said), said
    print(json.dumps([before, type(said).__name__, said.permanent, said.exit_status, torch.cuda.is_initialized()]))
    """)


def test_errors_are_classified_by_text_and_by_class():
    told = answer_of(OPENED + """
    errors = [RuntimeError(text) for text in json.loads(sys.argv[1])]
    errors += [torch.OutOfMemoryError("x"), torch.AcceleratorError("x"), torch.AcceleratorError("CUDA error: out of memory")]
    errors += [ValueError("CUDA error: an illegal memory access was encountered")]
    print(json.dumps([[device.is_out_of_memory(error), device.is_poisoned(error)] for error in errors]))
    """, json.dumps(FULL + LOST + NEITHER))

    full, lost, neither = [True, False], [False, True], [False, False]
    assert [full] * len(FULL) + [lost] * len(LOST) + [neither] * len(NEITHER) == told[:-4]
    assert [full, lost, full, neither] == told[-4:]


CUDA_STAND_IN = OPENED + """
    calls = []
    torch.backends.cuda.is_built = lambda: True
    torch.cuda.init = lambda: calls.append("init")
    torch.cuda.device_count = lambda: 1
    torch.zeros = lambda *size, device: calls.append(f"zeros on {device}")
    torch.cuda.synchronize = lambda name: calls.append(f"synchronize {name}")
"""


def test_opening_creates_the_context_in_full_precision():
    assert [["init", "zeros on cuda:0", "synchronize cuda:0"], False, False] == answer_of(CUDA_STAND_IN + """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    device.open()
    print(json.dumps([calls, torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32]))
    """)


@pytest.mark.parametrize(
    "text, expected", [("CUDA error: out of memory", "RuntimeError"), ("Found no NVIDIA driver", "DeviceError")]
)
def test_a_driver_error_is_named_and_out_of_memory_stays_out_of_memory(text, expected):
    assert expected == answer_of(CUDA_STAND_IN + """
    def refuse(*size, device): raise RuntimeError(sys.argv[1])
    torch.zeros = refuse
    try:
        device.open()
    except Exception as error:
        print(json.dumps(type(error).__name__))
    """, text)


def test_a_machine_without_a_driver_has_no_device_and_the_error_is_permanent():
    message = "device cuda:0: this machine has 0 CUDA devices, numbered from 0: Found no NVIDIA driver"
    assert ["NoDeviceError", message] == answer_of(CUDA_STAND_IN + """
    def refuse(): raise RuntimeError("Found no NVIDIA driver")
    torch.cuda.init, torch.cuda.device_count = refuse, lambda: 0
    try:
        device.open()
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]))
    """)


def test_a_missing_device_is_named_with_the_number_of_devices():
    assert ["NoDeviceError", "device cuda:3: this machine has 1 CUDA devices, numbered from 0"] == answer_of(CUDA_STAND_IN + """
    try:
        CudaDevice("cuda:3").open()
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]))
    """)
