"""On what the figures were measured."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from app.system.cgroup import cpu_budget
from loader.artifacts.cpu import cpu_model, feature_level

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


def usable_cores() -> int:
    """Return how many cores this process may use, by affinity and CPU quota."""
    return cpu_budget().used


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    return Machine(
        cpu=cpu_model(),
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
