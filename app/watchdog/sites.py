"""Which lines allocate what is not freed: `tracemalloc` for a while. Imported when there is something to look for."""

import os
import sys
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

#: How far up the stack the line is looked for that called a library.
FRAMES = 6
#: A part of the time in which so many times less was left behind than on average was none in which it leaked.
_UNEVEN = 10
#: On average over all objects of a line.
_LARGE_BYTES = 256
#: What looks for leaks is none.
_OURS = (os.path.dirname(__file__) + os.sep, tracemalloc.__file__)
_LIBRARIES = (os.sep + "site-packages" + os.sep, os.path.dirname(os.__file__) + os.sep)

_Sizes = dict[tracemalloc.Traceback, tuple[int, int]]


@dataclass(frozen=True)
class Site:
    """One line, and how much more of what it allocated is alive than before."""

    #: `FILE:LINE`, and behind it the library's line that it called, where it called one.
    at: str
    grown_bytes: int
    grown_count: int

    @property
    def is_large(self) -> bool:
        """Whether it is made of more than small objects; an array comes with one of those."""
        return self.grown_bytes > _LARGE_BYTES * self.grown_count


class Tracing:
    """Traces what is allocated from now on, or goes on with that."""

    def __init__(self) -> None:
        self._is_ours = not tracemalloc.is_tracing()
        if self._is_ours:
            tracemalloc.start(FRAMES)
        self._marks: list[_Sizes] = []

    def mark(self) -> None:
        """Note what is alive now; at the beginning and after each part of the time."""
        alive = tracemalloc.take_snapshot().statistics("traceback")
        # Grouped first: a filter looks at every object by itself, and takes five times as long.
        self._marks.append({each.traceback: (each.size, each.count) for each in alive if not _is_ours(each.traceback)})

    def end(self) -> tuple[Site, ...]:
        """Stop, unless tracing was on before; return the lines that grew in every part, those that grew most first."""
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
    at = located(ours.filename, ours.lineno)
    if ours != innermost and _is_library(innermost.filename):
        at += f" in {located(innermost.filename, innermost.lineno)}"
    return Site(at, after[0] - before[0], after[1] - before[1])


def _is_ours(traceback: tracemalloc.Traceback) -> bool:
    return any(frame.filename.startswith(_OURS) for frame in traceback)


def _is_library(path: str) -> bool:
    return path.startswith("<") or any(folder in path for folder in _LIBRARIES)


def located(path: str, line: int) -> str:
    """Return `FILE:LINE`, the file as it is imported."""
    roots = [root + os.sep for root in (os.getcwd(), *sys.path) if root and path.startswith(root + os.sep)]
    return f"{path[len(max(roots, key=len, default='')):]}:{line}"
