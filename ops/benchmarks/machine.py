"""On what the figures were measured."""

import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from loader.cpu import feature_level

_PACKAGES = ("chorus-tts", "onnxruntime", "numpy", "gunicorn", "torch", "coqui-tts", "piper-tts")


@dataclass(frozen=True)
class Machine:
    """What somebody needs to know to compare their figures with these."""

    cpu: str
    #: Cores this process may use.
    cores: int
    #: Instruction-set level, such as `x86-64-v3`.
    simd: str
    memory_bytes: int
    kernel: str
    python: str
    #: Package to version.
    versions: Mapping[str, str]
    #: Runnable processes before the benchmark began, averaged over a minute.
    load: float
    #: Whether the kernel takes idle pages back unasked, which makes every process look smaller.
    reclaims_idle_pages: bool


@dataclass(frozen=True)
class Usage:
    """Core time used up to one moment."""

    clock_s: float
    #: By everybody on the machine, and by other guests of its host.
    machine_core_s: float
    #: By this process and all children that have ended.
    own_core_s: float


def usage_now() -> Usage:
    """Take a reading to compare a later one with."""
    everybody, own = psutil.cpu_times(), os.times()
    idle_s = everybody.idle + everybody.iowait
    # The kernel counts a guest's time as its owner's too.
    counted_twice_s = everybody.guest + everybody.guest_nice
    own_core_s = own.user + own.system + own.children_user + own.children_system
    return Usage(time.monotonic(), sum(everybody) - idle_s - counted_twice_s, own_core_s)


def used_by_others(before: Usage, after: Usage) -> float:
    """Return how many cores somebody else kept busy between two readings, on average."""
    machine_core_s = after.machine_core_s - before.machine_core_s
    return max(0.0, machine_core_s - (after.own_core_s - before.own_core_s)) / (after.clock_s - before.clock_s)


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    return Machine(
        cpu=_cpu_model(),
        cores=usable_cores(),
        simd=feature_level(),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=platform.release(),
        python=platform.python_version(),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        load=round(os.getloadavg()[0], 2),
        reclaims_idle_pages=_kernel_monitors_pages(),
    )


def require_espeak() -> None:
    """Refuse to measure where Coqui's phonemizer has no program to call."""
    if not (shutil.which("espeak-ng") or shutil.which("espeak")):
        raise click.ClickException("the native side needs the program espeak-ng; on Debian: apt install espeak-ng")


def _kernel_monitors_pages(monitors: Path = Path("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds")) -> bool:
    return monitors.is_file() and int(monitors.read_text(encoding="ascii")) > 0


def _cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
