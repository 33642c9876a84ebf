"""The machine that was measured, and who else used it meanwhile."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.tuning.limits import CoreLimit, MemoryLimit, usable_cores, usable_memory
from loader.artifacts.cpu import cpu_model, feature_level

_PACKAGES = ("chorus-tts", "onnxruntime", "numpy", "gunicorn", "flask", "torch", "coqui-tts", "piper-tts")


@dataclass(frozen=True)
class Machine:
    """What a reader needs to compare their figures with these."""

    cpu: str
    #: Instruction-set level, such as `x86-64-v3`.
    simd: str
    cores: CoreLimit
    memory: MemoryLimit
    kernel: str
    python: str
    #: Of each package that is installed.
    versions: Mapping[str, str]
    #: Runnable processes before it began, averaged over a minute.
    load: float
    #: `always`, `madvise` or `never`; empty if the kernel does not say.
    huge_pages: str


@dataclass(frozen=True)
class Usage:
    """Core time used up to one moment."""

    clock_s: float
    #: By all processes of the machine.
    machine_core_s: float
    #: By this process and all its children that have ended.
    own_core_s: float


def usage_now() -> Usage:
    """Take a reading to compare a later one with."""
    machine, own = psutil.cpu_times(), os.times()
    # The kernel counts a guest's time as its owner's too.
    idle_s = machine.idle + machine.iowait + machine.guest + machine.guest_nice
    own_core_s = own.user + own.system + own.children_user + own.children_system
    return Usage(time.monotonic(), sum(machine) - idle_s, own_core_s)


def used_by_others(before: Usage, after: Usage) -> float:
    """Return how many cores other processes kept busy between two readings, on average."""
    machine_core_s = after.machine_core_s - before.machine_core_s
    own_core_s = after.own_core_s - before.own_core_s
    return max(0.0, machine_core_s - own_core_s) / max(0.001, after.clock_s - before.clock_s)


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    versions = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return Machine(
        cpu=cpu_model(),
        simd=feature_level(),
        cores=usable_cores(),
        memory=usable_memory(),
        kernel=platform.release(),
        python=platform.python_version(),
        versions=versions,
        load=round(os.getloadavg()[0], 2),
        huge_pages=_bracketed(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
    )


def _bracketed(path: Path) -> str:
    """Return the selected one of a kernel file's alternatives."""
    try:
        return path.read_text(encoding="ascii").partition("[")[2].partition("]")[0]
    except (OSError, UnicodeDecodeError):
        return ""
