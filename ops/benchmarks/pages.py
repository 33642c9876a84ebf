"""How much memory processes hold, as the kernel counts it page by page."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_Sample = TypeVar("_Sample")


@dataclass(frozen=True)
class Pages:
    """The memory of one process, or of several together."""

    #: Every page it maps; a page shared by four processes counts four times.
    rss_bytes: int
    #: Every page divided by how many processes map it: the only figure that may be summed.
    pss_bytes: int
    #: Pages nobody else maps: what ending the process would give back.
    uss_bytes: int


def pages_of(pid: int, proc: Path = Path("/proc")) -> Pages:
    """Return the memory of the process `pid`."""
    sizes: dict[str, int] = {}
    for line in (proc / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, size, _unit = line.split()
        sizes[name.removesuffix(":")] = int(size) * 1024
    return Pages(sizes["Rss"], sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])


def pages_together(pids: Iterable[int]) -> Pages:
    """Return the sums over `pids`."""
    each = [pages_of(pid) for pid in pids]
    return Pages(
        sum(pages.rss_bytes for pages in each),
        sum(pages.pss_bytes for pages in each),
        sum(pages.uss_bytes for pages in each),
    )


@contextmanager
def sampled(take: Callable[[], _Sample], every_s: float) -> Iterator[list[_Sample]]:
    """Take a sample now and every so often meanwhile; the yielded list grows by one each time."""
    samples = [take()]
    done = threading.Event()

    def sample() -> None:
        # A process that ends takes its figures with it; whoever waits for its answer will hear of it.
        with suppress(OSError):
            while not done.wait(every_s):
                samples.append(take())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()


def peak_pss(pids: Sequence[int], every_s: float = 0.05) -> AbstractContextManager[list[int]]:
    """Sample the sum of PSS of `pids`, in bytes."""
    return sampled(lambda: pages_together(pids).pss_bytes, every_s)
