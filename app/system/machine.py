"""The machine of a measurement: processor, cores, memory, versions, and how busy other processes kept it meanwhile."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from app.system.cgroup import Groups, cpu_budget, memory_limits
from loader.artifacts.instruction_set import cpu_model, feature_level

_PACKAGES = ("chorus-tts", "onnxruntime", "numpy", "gunicorn", "flask", "torch", "coqui-tts", "piper-tts")


@dataclass(frozen=True)
class Machine:
    """What a reader needs to compare their figures with these."""

    cpu: str
    #: Instruction-set level, such as `x86-64-v3`.
    simd: str
    #: That this process may use, by CPU affinity and CPU quota.
    cores: int
    #: That this process may use: the machine's, or the smallest limit of its control groups.
    memory_bytes: int
    kernel: str
    python: str
    #: Of each package that is installed.
    versions: Mapping[str, str]
    #: Runnable processes before the measurement, averaged over a minute.
    load: float


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


def usable_memory_bytes(groups: Groups = Groups(), physical_bytes: int | None = None) -> int:
    """Return the smallest of the machine's memory and every limit of the control groups above this process."""
    if physical_bytes is None:
        physical_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([physical_bytes, *(limit_bytes for limit_bytes, _ in memory_limits(groups))])


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    versions = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return Machine(
        cpu=cpu_model(),
        simd=feature_level(),
        cores=cpu_budget().used,
        memory_bytes=usable_memory_bytes(),
        kernel=platform.release(),
        python=platform.python_version(),
        versions=versions,
        load=round(os.getloadavg()[0], 2),
    )
