"""Prefetch: further threads of this process make chunks ahead of their turn while cores are idle.

Every window of an utterance is work of its own (see `engines.base.Work`), and networks
release Python's lock: two threads on one one-thread session decode 1.9 to 2.1 times as
fast as one. The output and its order do not depend on the thread that did the work.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

from loader.engines.base import Samples, Work

Group = TypeVar("Group")
Result = TypeVar("Result")

#: Returns how many threads may be used now. Called before each piece of work; 1 is the calling thread alone.
ThreadLimit = Callable[[], int]

#: Threads of one request at most: each takes tens of megabytes while it decodes.
MAX_THREADS = 4


def one_thread() -> int:
    """Use the calling thread alone."""
    return 1


class Prefetcher(Generic[Group]):
    """Thread pool that runs the work of successive groups. One a request, used by one thread.

    Threads are started when they are first needed, and end with the request. If the system
    starts no more, the existing ones and the calling thread do the work.
    """

    def __init__(
        self, groups: Iterator[Group], work_of: Callable[[Group], Iterator[Work]], threads: ThreadLimit, max_threads: int
    ) -> None:
        """Start nothing yet.

        Args:
            groups: asked for the next group in any thread, by one at a time: reading a group is work too.
            work_of: the work of a group, in order; the next piece is cheap to get.
            threads: see `ThreadLimit`.
            max_threads: bound of what `threads` returns.
        """
        self._groups = groups
        self._work_of = work_of
        self._thread_limit = threads
        self._pool = ThreadPoolExecutor(max(1, max_threads), "prefetch")
        self._queue: deque[tuple[Group | None, Work, Future[Samples]]] = deque()
        self._next_group: Future[Group | None] | None = None
        self._work: Iterator[Work] | None = None
        self._begins: Group | None = None
        self._failure: Exception | None = None

    def results(self) -> Generator[tuple[Group | None, Samples], None, None]:
        """Yield the result of each piece of work, in order, with its group if it is the group's first.

        Closing it cancels work that has not begun, and waits for work that has. An error of a
        piece of work, of a group or of the iterator of its work is raised after all earlier results.
        """
        try:
            while True:
                self._fill()
                if self._waits_for_group():
                    continue
                if self._queue:
                    begins, work, done = self._queue.popleft()
                    yield begins, work() if done.cancelled() else done.result()
                elif self._failure is not None:
                    raise self._failure
                elif (piece := self._next_piece()) is not None:
                    yield piece[0], piece[1]()
                else:
                    return
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _fill(self) -> None:
        """Begin one piece for each thread, and one more, so that no thread waits for this one."""
        try:
            while self._failure is None and (threads := self._thread_limit()) > 1 and len(self._queue) <= threads:
                if not self._begin_one():
                    return
        except Exception as error:  # groups and their work may raise anything; it is raised in its turn
            self._failure = error

    def _begin_one(self) -> bool:
        """Begin the next piece of work, or enter the next group; return whether there may be more to begin."""
        piece = self._next_of_group()
        if piece is None:
            return self._has_group() and self._enter_group()
        done = self._submit(piece[1])
        self._queue.append((*piece, done))
        if self._next_group is None:
            reading: Future[Group | None] = self._submit(lambda: next(self._groups, None))
            self._next_group = None if reading.cancelled() else reading
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

    def _has_group(self) -> bool:
        """Whether the next group is there, or may be read in this thread; an error of it waits for its turn."""
        reading = self._next_group
        if reading is None:
            return not self._queue
        return reading.done() and reading.exception() is None

    def _waits_for_group(self) -> bool:
        """Wait for the next result or, if threads are idle until then, the next group; return whether it is the group."""
        reading = self._next_group
        if not self._queue or self._work is not None or reading is None or reading.done():
            return False
        first = self._queue[0][2]
        if first.done():
            return False
        either: set[Future[Any]] = {first, reading}
        wait(either, return_when=FIRST_COMPLETED)
        return not first.done()

    def _next_piece(self) -> tuple[Group | None, Work] | None:
        """Return the next piece of work, with its group if it is the first; None at the end."""
        while (piece := self._next_of_group()) is None:
            if not self._enter_group():
                return None
        return piece

    def _next_of_group(self) -> tuple[Group | None, Work] | None:
        work = None if self._work is None else next(self._work, None)
        if work is None:
            self._work = None
            return None
        begins, self._begins = self._begins, None
        return begins, work

    def _enter_group(self) -> bool:
        reading, self._next_group = self._next_group, None
        group = next(self._groups, None) if reading is None else reading.result()
        if group is None:
            return False
        self._begins, self._work = group, self._work_of(group)
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
