"""Windows: ranges of frames that are computed apart and joined exactly, and the latent made by them."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from loader.engines.base import NO_SAMPLES, Array, Samples, Work


@dataclass(frozen=True)
class Window:
    """A range of frames to feed, and the part of the result to keep."""

    #: Frames to feed, margins included: [start, stop).
    start: int
    stop: int
    #: Frames of the result to keep: [keep_from, keep_to), counted from `start`.
    keep_from: int
    keep_to: int


def plan_windows(frames: int, margin: int, max_frames: int, first: Sequence[int] = ()) -> Iterator[Window]:
    """Cut `frames` into windows with margins on their inner edges, so that joins are exact.

    All but the short first ones have the same length: libraries compile their kernels for one length.

    Args:
        frames: their number, at least 1.
        margin: frames on either side that a frame of the result depends on.
        max_frames: core frames of any window, more than twice the margin.
        first: core frames of the first windows, if a client waits for them.
    """
    done = 0
    for core in first:
        if frames <= done + core + margin:
            break
        start = max(0, done - margin)
        yield Window(start, done + core + margin, done - start, done - start + core)
        done += core
    start = max(0, done - margin)
    if frames - done <= max_frames:
        yield Window(start, frames, done - start, frames - start)
        return
    inner = frames - start - 2 * margin
    count = max(2, -(-inner // (max_frames - margin)))
    fed = -(-inner // count) + 2 * margin
    for index in range(count):
        low = min(start + index * (fed - 2 * margin), frames - fed)
        high = frames if index == count - 1 else low + fed - margin
        yield Window(low, low + fed, done - low, high - low)
        done = high


class Latent:
    """The latent of one utterance, made in blocks, each once and by any thread.

    In long sentences the first window waits for the first block only.
    """

    def __init__(self, flow: Callable[[Array], Array], prior: Array, blocks: Iterable[Window]) -> None:
        self._flow = flow
        self._prior = prior
        self._latent = np.empty_like(prior)
        self._blocks = [_Block(each) for each in blocks]
        self._offered = 0

    def work_until(self, stop: int) -> Iterator[Work]:
        """Yield the work needed before the frames up to `stop`, without the work yielded before."""
        while self._offered < len(self._blocks) and self._blocks[self._offered].first < stop:
            block = self._blocks[self._offered]
            self._offered += 1
            yield partial(self._prepare, block)

    def frames(self, start: int, stop: int) -> Array:
        """Return the frames [start, stop), made now if they are not yet."""
        for block in self._blocks:
            if block.first < stop and start < block.last:
                self._make(block)
        return self._latent[:, :, start:stop]

    def _prepare(self, block: "_Block") -> Samples:
        self._make(block)
        return NO_SAMPLES

    def _make(self, block: "_Block") -> None:
        with block.making:
            if not block.is_made:
                window = block.window
                made = self._flow(self._prior[:, :, window.start : window.stop])
                self._latent[:, :, block.first : block.last] = made[:, :, window.keep_from : window.keep_to]
                block.is_made = True


class _Block:
    """Frames of one run of the flow."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.first, self.last = window.start + window.keep_from, window.start + window.keep_to
        self.making = threading.Lock()
        self.is_made = False
