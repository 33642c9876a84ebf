"""Cutting a line of frames into windows that can be computed apart and joined exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A stretch of frames to feed, and what to keep of the result."""

    #: Frames to feed, margins included: [start, stop).
    start: int
    stop: int
    #: Frames of the result to keep: [keep_from, keep_to), counted from `start`.
    keep_from: int
    keep_to: int


def plan_windows(frames: int, margin: int, most: int, first: Sequence[int] = ()) -> Iterator[Window]:
    """Cut `frames` into windows with margins on their inner edges, so that joins are exact.

    All but the short first ones are fed equally many frames: libraries compile their kernels for one length.

    Args:
        frames: how many there are, at least 1.
        margin: how far a frame of the result looks to either side.
        most: core frames of any window, more than twice the margin.
        first: core frames of the first windows; none when nobody waits for them.
    """
    done = 0
    for core in first:
        if frames <= done + core + margin:
            break
        start = max(0, done - margin)
        yield Window(start, done + core + margin, done - start, done - start + core)
        done += core
    start = max(0, done - margin)
    if frames - done <= most:
        yield Window(start, frames, done - start, frames - start)
        return
    inner = frames - start - 2 * margin
    count = max(2, -(-inner // (most - margin)))
    fed = -(-inner // count) + 2 * margin
    for index in range(count):
        low = min(start + index * (fed - 2 * margin), frames - fed)
        high = frames if index == count - 1 else low + fed - margin
        yield Window(low, low + fed, done - low, high - low)
        done = high
