"""Attribution of growth: lines that allocate it, and kinds of objects that increased. Imported when growth is suspected.

`tracemalloc` is on for some dozens of requests; before and after them everything is counted: arrays by shape, open files by
path or type, threads by name. Array types of any library are recognized by name; none is imported.
"""

import gc
import os
import re
import sys
import threading
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

#: Requests in each part of the tracing; after a minute, fewer are enough.
_PART_REQUESTS = 10
_MIN_REQUESTS = 4
_MAX_PART_S = 60.0
#: The start, and the ends of five parts. Memory of requests in progress grows by chance from one mark to the next,
#: and at all five marks once in 720 times.
_MARKS = 6
#: Lines that are kept: the detector must not grow itself.
_KEPT = 10
#: Stack frames that are searched for the line that called a library.
FRAMES = 6
#: A line that retained this many times less in one part than on average did not leak.
_UNEVEN = 10
#: Above this average size, the objects of a line are large.
_LARGE_BYTES = 256
#: The detector's own allocations, which are not counted.
_OURS = (os.path.dirname(__file__) + os.sep, tracemalloc.__file__)
_LIBRARIES = (os.sep + "site-packages" + os.sep, os.path.dirname(os.__file__) + os.sep)

_Sizes = dict[tracemalloc.Traceback, tuple[int, int]]
#: Containers that arrays are kept in; arrays of numpy themselves are unknown to the garbage collector.
_CONTAINERS = (list, dict, tuple, set, deque)
#: Containers that are asked for their content at once.
_BATCH = 500
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Census:
    """Number of objects of each kind."""

    #: Arrays by library, shape and type, such as `torch.Tensor (1, 192, 812) float32`; and the bytes of each such kind.
    arrays: Counter[str]
    array_bytes: Counter[str]
    #: Objects of the garbage collector, by type.
    objects: Counter[str]
    #: Descriptors by type or path: `socket`, `pipe`, `/tmp/N`. Digits are N.
    descriptors: Counter[str]
    #: Threads by name. Digits are N.
    threads: Counter[str]

    def __sub__(self, before: "Census") -> "Census":
        """Return the kinds that increased, and their increases."""
        return Census(
            self.arrays - before.arrays, self.array_bytes - before.array_bytes, self.objects - before.objects,
            self.descriptors - before.descriptors, self.threads - before.threads,
        )  # fmt: skip


def take_census() -> Census:
    """Count all objects except frozen ones: 0.2 s for 400,000."""
    tracked = gc.get_objects()
    arrays, sizes = _arrays(tracked)
    objects = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in tracked)
    return Census(arrays, sizes, objects, descriptors(), threads())


def descriptors(folder: str = "/proc/self/fd") -> Counter[str]:
    """Count open descriptors by type or path."""
    return Counter(_kind(target) for target in _targets(folder))


def threads() -> Counter[str]:
    """Count threads by name, native ones as `native`."""
    named = Counter(_DIGITS.sub("N", thread.name) for thread in threading.enumerate())
    native = len(os.listdir("/proc/self/task")) - named.total()
    return named + Counter({"native": max(0, native)})


def _targets(folder: str) -> Iterator[str]:
    for name in os.listdir(folder):
        with suppress(OSError):  # it was closed meanwhile
            yield os.readlink(f"{folder}/{name}")


def _kind(target: str) -> str:
    if not target.startswith("/"):
        kind, _, number = target.partition(":")
        return number.strip("[]") if kind == "anon_inode" else kind
    return _DIGITS.sub("N", target.removesuffix(" (deleted)"))


def _arrays(tracked: Iterable[Any]) -> tuple[Counter[str], Counter[str]]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for array in _each_once(tracked):
        # Arrays of other libraries may raise on any of this, such as tensors without storage.
        with suppress(Exception):
            kind = f"{_type_name(array)} {tuple(array.shape)} {str(array.dtype).rpartition('.')[2]}"
            sizes[kind] += int(array.nbytes)
            counts[kind] += 1
    return counts, sizes


def _each_once(tracked: Iterable[Any]) -> Iterator[Any]:
    seen: set[int] = set()
    for each in _candidates(tracked):
        if _is_array(each) and id(each) not in seen:
            seen.add(id(each))
            yield each


def _candidates(tracked: Iterable[Any]) -> Iterator[Any]:
    batch: list[Any] = []
    for each in tracked:
        yield each
        if type(each) in _CONTAINERS:
            batch.append(each)
        if len(batch) == _BATCH:
            yield from gc.get_referents(*batch)
            batch.clear()
    yield from gc.get_referents(*batch)


def _is_array(each: Any) -> bool:
    """Whether it is an instance, not a class, of a library's array type. Accesses no attribute of other objects."""
    return type(each).__name__ in ("ndarray", "Tensor", "Parameter") and _library(each) in ("numpy", "torch")


def _type_name(each: Any) -> str:
    return f"{_library(each)}.{type(each).__name__}"


def _library(each: Any) -> str:
    # `__module__` of a class may be any object.
    return str(type(each).__module__).partition(".")[0]


@dataclass(frozen=True)
class Site:
    """One line of code, and the growth of what it allocated and has not freed."""

    #: `FILE:LINE`, followed by the line of the library that it called, if any.
    at: str
    grown_bytes: int
    grown_count: int

    @property
    def is_large(self) -> bool:
        """Whether its objects are large on average; each array also has a small one."""
        return self.grown_bytes > _LARGE_BYTES * self.grown_count


class Tracing:
    """Traces allocations, or uses the tracing that is already on."""

    def __init__(self) -> None:
        self._is_ours = not tracemalloc.is_tracing()
        if self._is_ours:
            tracemalloc.start(FRAMES)
        self._marks: list[_Sizes] = []

    def mark(self) -> None:
        """Record the live allocations; called at the start and after each part."""
        alive = tracemalloc.take_snapshot().statistics("traceback")
        # Grouped first: a filter examines every object by itself, which takes five times as long.
        self._marks.append({each.traceback: (each.size, each.count) for each in alive if not _is_ours(each.traceback)})

    def end(self) -> tuple[Site, ...]:
        """Stop, unless tracing was on before; return the lines that grew in every part, by size."""
        if self._is_ours:
            tracemalloc.stop()
        if not self._marks:
            return ()
        first, last = self._marks[0], self._marks[-1]
        grown = [_site(each, first.get(each, (0, 0)), last[each]) for each in last if _grew(each, self._marks)]
        self._marks.clear()
        return tuple(sorted(grown, key=lambda site: -site.grown_bytes))


def _grew(traceback: tracemalloc.Traceback, marks: Iterable[_Sizes]) -> bool:
    sizes = [mark.get(traceback, (0, 0))[0] for mark in marks]
    least = max(1.0, (sizes[-1] - sizes[0]) / (len(sizes) - 1) / _UNEVEN)
    return all(after - before >= least for before, after in pairwise(sizes))


def _site(traceback: tracemalloc.Traceback, before: tuple[int, int], after: tuple[int, int]) -> Site:
    innermost = traceback[-1]
    ours = next((frame for frame in reversed(traceback) if not _is_library(frame.filename)), innermost)
    at = format_location(ours.filename, ours.lineno)
    if ours != innermost and _is_library(innermost.filename):
        at += f" in {format_location(innermost.filename, innermost.lineno)}"
    return Site(at, after[0] - before[0], after[1] - before[1])


def _is_ours(traceback: tracemalloc.Traceback) -> bool:
    return any(frame.filename.startswith(_OURS) for frame in traceback)


def _is_library(path: str) -> bool:
    return path.startswith("<") or any(folder in path for folder in _LIBRARIES)


def format_location(path: str, line: int) -> str:
    """Return `FILE:LINE`, the file as it is imported."""
    roots = [root + os.sep for root in (os.getcwd(), *sys.path) if root and path.startswith(root + os.sep)]
    return f"{path[len(max(roots, key=len, default='')):]}:{line}"


@dataclass(frozen=True)
class Findings:
    """Result of the tracing."""

    requests: int
    #: The lines that retained the most bytes.
    sites: tuple[Site, ...]
    #: The kinds that increased.
    grown: Census
    #: Bytes per request that the growing lines have allocated and not freed. Memory that was allocated before the tracing and
    #: freed in it is not subtracted, so a full cache seems to grow, too.
    traced_per_request: float
    #: The part of it in the C heap, such as Python's large objects and numpy's arrays.
    traced_large_per_request: float
    #: Average size of Python's small objects that were not freed; 0 if there are none.
    bytes_per_block: float


class Attribution:
    """Traces and counts from its construction on, until it has findings or is abandoned."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began_s = now_s()
        self._before = take_census()
        self._tracing = Tracing()
        #: Requests served at each mark.
        self._marks: list[int] = []

    def add(self, requests: int) -> Findings | None:
        """Add the number of requests served so far; return the findings once they are complete."""
        # The first mark comes with the first call, when the memory that every request leaves to the next one exists.
        if self._marks and requests - self._marks[-1] < self._part():
            return None
        gc.collect()
        self._tracing.mark()
        self._marks.append(requests)
        if len(self._marks) < _MARKS:
            return None
        return _findings(requests - self._marks[0], self._tracing.end(), take_census() - self._before)

    def abandon(self) -> None:
        """Stop tracing without findings."""
        self._tracing.end()

    def _part(self) -> int:
        return _PART_REQUESTS if self._now_s() - self._began_s < _MAX_PART_S else _MIN_REQUESTS


def _findings(requests: int, sites: tuple[Site, ...], grown: Census) -> Findings:
    large = sum(site.grown_bytes for site in sites if site.is_large)
    small = [site for site in sites if not site.is_large]
    small_bytes, small_count = sum(site.grown_bytes for site in small), sum(site.grown_count for site in small)
    return Findings(
        requests, sites[:_KEPT], grown, (large + small_bytes) / requests, large / requests, small_bytes / max(1, small_count)
    )
