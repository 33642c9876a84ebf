"""Memory of processes from /proc/PID/smaps_rollup: RSS, PSS and USS, of one process or of a tree."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

_Sample = TypeVar("_Sample")


@dataclass(frozen=True)
class ProcessMemory:
    """The memory of one process, or the sum over several."""

    #: Every page that it maps; a page shared by four processes counts four times.
    rss_bytes: int
    #: Every page divided by the number of processes that map it: the only one of the three that may be summed.
    pss_bytes: int
    #: Pages that no other process maps: the memory that is freed if the process ends.
    uss_bytes: int


def memory_of(pid: int, proc: Path = Path("/proc")) -> ProcessMemory:
    """Return the memory of one process. The kernel walks all its pages: 2 ms with the embedded voice, 17 ms with 600 MB.

    Raises:
        OSError: the process has ended, or may not be read.
    """
    sizes: dict[str, int] = {}
    for line in (proc / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, size, _unit = line.split()
        sizes[name.removesuffix(":")] = int(size) * 1024
    if not sizes:
        # A zombie has the file and no pages.
        raise ProcessLookupError(f"process {pid} has ended")
    return ProcessMemory(sizes["Rss"], sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])


def sum_of(memories: Iterable[ProcessMemory]) -> ProcessMemory:
    """Return the sum of each figure."""
    each = list(memories)
    return ProcessMemory(
        sum(memory.rss_bytes for memory in each),
        sum(memory.pss_bytes for memory in each),
        sum(memory.uss_bytes for memory in each),
    )


def children_of(pid: int, recursive: bool = False) -> list[int]:
    """Return the process ids of the living children, or of all descendants; none if the process has ended."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def memory_of_tree(pid: int) -> dict[int, ProcessMemory]:
    """Read the memory of a process and of all its descendants, by process id; the process itself is first.

    A descendant that ends meanwhile is left out.

    Raises:
        OSError: the process itself has ended, or may not be read.
    """
    tree = {pid: memory_of(pid)}
    for child in children_of(pid, recursive=True):
        with suppress(OSError):
            tree[child] = memory_of(child)
    return tree


@contextmanager
def sampled(read: Callable[[], _Sample], every_s: float) -> Iterator[list[_Sample]]:
    """Read now and every `every_s` seconds in a thread; the yielded list grows by one each time.

    Sampling ends early if `read` raises OSError: a process that ends takes its figures with it.
    """
    samples, done = [read()], threading.Event()

    def sample() -> None:
        with suppress(OSError):
            while not done.wait(every_s):
                samples.append(read())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()
