"""Chunks: the audio of planned utterances in order, made by further threads ahead of its turn while cores are idle.

Every window of an utterance is work of its own (see `engines.base.Work`), and networks release Python's lock: two threads
on one one-thread session decode 1.9 to 2.1 times as fast as one. The samples and their order do not depend on the thread
that made them.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from loader.engines.base import NO_SAMPLES, Plan, Samples, Work
from loader.text.normalization.aligned import AlignedText
from loader.text.reading import Reading

Result = TypeVar("Result")

#: Returns how many threads may be used now. Called before each piece of work; 1 is the calling thread alone.
ThreadLimit = Callable[[], int]

#: Of one chunk: 12 s at 22.05 kHz.
MAX_SILENCE_SAMPLES = 262_144
#: Threads of one request at most: each takes tens of megabytes while it decodes.
MAX_THREADS = 4


@dataclass(frozen=True)
class Segment:
    """One planned utterance: its text is read and its length is known, its audio is still to be made."""

    #: Number of its sentence, from 0; parts of a long sentence share it.
    sentence: int
    reading: Reading
    #: The language it was read in, as the manifest names it.
    language: str
    #: Silence before it.
    pause_samples: int
    plan: Plan
    #: The sentence as written, and the text of the reading aligned with it.
    written: str
    spoken: AlignedText
    #: Names of moments in it, with positions in `written`.
    marks: Sequence[tuple[int, str]] = ()

    def count_samples(self, spoken_samples: int) -> int:
        """Return its length: `spoken_samples` if the engine learns it only by speaking."""
        known = self.plan.samples_per_id
        return spoken_samples if known is None else int(known.sum())


@dataclass(frozen=True)
class Chunk:
    """A window of samples, or of silence between two segments."""

    samples: Samples
    #: The segment whose first window this is; None for later windows and for silence.
    begins: Segment | None = None
    #: Place of its segment in the audio, in samples from the first one: [start, end). 0 for silence.
    start_samples: int = 0
    end_samples: int = 0


def time_segments(segments: Iterator[Segment]) -> Generator[Chunk, None, None]:
    """Yield a chunk without samples for each segment; makes audio only if the engine learns the length by speaking."""
    end = 0
    for segment in segments:
        spoken_samples = sum(work().size for work in segment.plan.work) if segment.plan.samples_per_id is None else 0
        start = end + segment.pause_samples
        end = start + segment.count_samples(spoken_samples)
        yield Chunk(NO_SAMPLES, segment, start, end)


def silence_sizes(samples: int) -> Iterator[int]:
    """Yield the sizes of the chunks of a silence: a client may ask for an hour."""
    for start in range(0, samples, MAX_SILENCE_SAMPLES):
        yield min(MAX_SILENCE_SAMPLES, samples - start)


def one_thread() -> int:
    """Use the calling thread alone."""
    return 1


class Prefetcher:
    """Thread pool that makes the chunks of successive segments. One a request, used by one thread.

    Threads are started when they are first needed, and end with the request. If the system starts no more, the existing
    ones and the calling thread do the work.
    """

    def __init__(self, segments: Iterator[Segment], threads: ThreadLimit, max_threads: int = MAX_THREADS) -> None:
        """Start nothing yet.

        Args:
            segments: asked for the next segment in any thread, by one at a time: reading and planning is work too.
            threads: see `ThreadLimit`.
            max_threads: bound of what `threads` returns.
        """
        self._segments = segments
        self._thread_limit = threads
        self._pool = ThreadPoolExecutor(max(1, max_threads), "prefetch")
        self._queue: deque[tuple[Segment | None, Work, Future[Samples]]] = deque()
        self._next_segment: Future[Segment | None] | None = None
        #: Of the segment that was entered last; the next piece is cheap to get.
        self._work: Iterator[Work] | None = None
        self._begins: Segment | None = None
        self._failure: Exception | None = None

    def chunks(self) -> Generator[Chunk, None, None]:
        """Yield the audio, without empty chunks.

        Closing it cancels work that has not begun, and waits for work that has. An error of a piece of work, of a segment or
        of the iterator of its work is raised after all earlier chunks.
        """
        begins, start, end = None, 0, 0
        try:
            while (made := self._next_result()) is not None:
                segment, samples = made
                if segment is not None:
                    for size in silence_sizes(segment.pause_samples):
                        yield Chunk(np.zeros(size, np.float32))
                    begins, start = segment, end + segment.pause_samples
                    end = start + segment.count_samples(samples.size)
                if samples.size:
                    yield Chunk(samples, begins, start, end)
                    begins = None
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _next_result(self) -> tuple[Segment | None, Samples] | None:
        """Return the result of the next piece of work, with its segment if it is the segment's first; None at the end."""
        self._fill()
        while self._waits_for_segment():
            self._fill()
        if self._queue:
            begins, work, done = self._queue.popleft()
            return begins, work() if done.cancelled() else done.result()
        if self._failure is not None:
            raise self._failure
        piece = self._next_piece()
        return None if piece is None else (piece[0], piece[1]())

    def _fill(self) -> None:
        """Begin one piece for each thread, and one more, so that no thread waits for this one."""
        try:
            while self._failure is None and (threads := self._thread_limit()) > 1 and len(self._queue) <= threads:
                if not self._begin_one():
                    return
        except Exception as error:  # segments and their work may raise anything; it is raised in its turn
            self._failure = error

    def _begin_one(self) -> bool:
        """Begin the next piece of work, or enter the next segment; return whether there may be more to begin."""
        piece = self._next_of_segment()
        if piece is None:
            return self._has_segment() and self._enter_segment()
        done = self._submit(piece[1])
        self._queue.append((*piece, done))
        if self._next_segment is None:
            reading: Future[Segment | None] = self._submit(lambda: next(self._segments, None))
            self._next_segment = None if reading.cancelled() else reading
        return not done.cancelled()

    def _submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Submit work to the pool; return its future cancelled, for this thread to do, if no thread can be started.

        The pool has queued the work before it fails to start a thread, and one of its threads may
        still take it. So the future is our own, and only one of the two gets the work.
        """
        done: Future[Result] = Future()
        try:
            self._pool.submit(_do, work, done)
        except RuntimeError:
            done.cancel()
        return done

    def _has_segment(self) -> bool:
        """Whether the next segment is there, or may be read in this thread; an error of it waits for its turn."""
        reading = self._next_segment
        if reading is None:
            return not self._queue
        return reading.done() and reading.exception() is None

    def _waits_for_segment(self) -> bool:
        """Wait for the next result or, if threads are idle until then, the next segment; return whether it is the segment."""
        reading = self._next_segment
        if not self._queue or self._work is not None or reading is None or reading.done():
            return False
        first = self._queue[0][2]
        if first.done():
            return False
        either: set[Future[Any]] = {first, reading}
        wait(either, return_when=FIRST_COMPLETED)
        return not first.done()

    def _next_piece(self) -> tuple[Segment | None, Work] | None:
        """Return the next piece of work, with its segment if it is the first; None at the end."""
        while (piece := self._next_of_segment()) is None:
            if not self._enter_segment():
                return None
        return piece

    def _next_of_segment(self) -> tuple[Segment | None, Work] | None:
        work = None if self._work is None else next(self._work, None)
        if work is None:
            self._work = None
            return None
        begins, self._begins = self._begins, None
        return begins, work

    def _enter_segment(self) -> bool:
        reading, self._next_segment = self._next_segment, None
        segment = next(self._segments, None) if reading is None else reading.result()
        if segment is None:
            return False
        self._begins, self._work = segment, segment.plan.work
        return True


def _do(work: Callable[[], Result], done: Future[Result]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)
        raise  # to the pool, which drops it
    finally:
        # The error holds this frame, which would hold the error.
        del done
