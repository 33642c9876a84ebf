"""The CPU's instruction-set level, which optimized graphs depend on, and its name."""

import platform
from pathlib import Path

_X86_LEVELS = (
    ("x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    ("x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}),
)


def feature_level(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str | None = None) -> str:
    """Return the instruction-set level, such as `x86-64-v3`.

    ONNX Runtime lays weights out in blocks as wide as the vector registers, so an
    optimized graph is valid, and fast, only on the level it was made on.
    """
    machine = machine or platform.machine()
    if machine != "x86_64":
        return machine
    flags: set[str] = set()
    for line in cpuinfo.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("flags"):
            flags = set(line.partition(":")[2].split())
            break
    return next((level for level, needed in _X86_LEVELS if needed <= flags), "x86-64-v2")


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the CPU's model name; the architecture if the kernel has no name."""
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
