"""Work done ahead of its turn by further threads of this process, while cores are idle.

Every stretch of an utterance is work of its own (see `engines.base.Work`), and networks
let go of Python's lock: two threads on one one-thread session decode 1.9 to 2.1 times as
fast as one (design, F16). What comes out, and in which order, does not depend on who did it.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

from loader.engines.base import Samples, Work

Group = TypeVar("Group")
Result = TypeVar("Result")

#: How many hands may be used now, asked before each piece of work; 1 is the calling thread alone.
Hands = Callable[[], int]

#: Most threads of one request, however many cores are idle: each takes tens of megabytes while it decodes.
MOST_HANDS = 4


def one_hand() -> int:
    """Never use a further thread."""
    return 1


class Ahead(Generic[Group]):
    """Does the work of groups that follow each other. One a request, used by one thread.

    Further threads are started when they are first needed, and end with the request. Where the
    system starts no more, the work is done by those there are and by the calling thread.
    """

    def __init__(
        self, groups: Iterator[Group], work_of: Callable[[Group], Iterator[Work]], hands: Hands, most: int
    ) -> None:
        """Prepare to work.

        Args:
            groups: asked for the next one, which is work too, in any thread but by one at a time.
            work_of: the work of a group, in order; asking for the next piece costs next to nothing.
            hands: see `Hands`.
            most: threads at the most, whatever `hands` says.
        """
        self._groups = groups
        self._work_of = work_of
        self._hands = hands
        self._pool = ThreadPoolExecutor(max(1, most), "ahead")
        self._queue: deque[tuple[Group | None, Work, Future[Samples]]] = deque()
        self._next_group: Future[Group | None] | None = None
        self._work: Iterator[Work] | None = None
        self._begins: Group | None = None
        self._failure: Exception | None = None

    def results(self) -> Generator[tuple[Group | None, Samples], None, None]:
        """Yield what each piece of work returned, in order, with its group where it is the group's first.

        Closing it cancels what has not begun, and waits for what has. What a piece of work
        raises, or a group, or the iterator of its work, comes after the results of all before it.
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
        """Begin as much as there are hands, and one piece more, so that nobody waits for this thread."""
        try:
            while self._failure is None and (hands := self._hands()) > 1 and len(self._queue) <= hands:
                if not self._begin_one():
                    return
        except Exception as error:  # what groups and their work raise, whatever that is, has its turn
            self._failure = error

    def _begin_one(self) -> bool:
        """Begin the next piece of work, or enter the next group; return whether there may be more to begin."""
        piece = self._next_of_group()
        if piece is None:
            return self._has_group() and self._enter_group()
        done = self._given(piece[1])
        self._queue.append((*piece, done))
        if self._next_group is None:
            reading: Future[Group | None] = self._given(lambda: next(self._groups, None))
            self._next_group = None if reading.cancelled() else reading
        return not done.cancelled()

    def _given(self, work: Callable[[], Result]) -> Future[Result]:
        """Give work to a further thread; return it cancelled, for this thread to do, where no thread can be had.

        The system may start no more of them. The pool has queued the work by then and a thread that
        it has may come for it, so the future is one of ours: of the two, only one gets it.
        """
        done: Future[Result] = Future()
        try:
            self._pool.submit(_do, work, done)
        except RuntimeError:
            done.cancel()
        return done

    def _has_group(self) -> bool:
        """Whether the next group is there, or may be asked for in this thread; one that failed waits for its turn."""
        reading = self._next_group
        if reading is None:
            return not self._queue
        return reading.done() and reading.exception() is None

    def _waits_for_group(self) -> bool:
        """Wait for the next result or, where hands are idle until then, the next group; return whether it is the group."""
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
        """Return the next piece of work, with its group where it is the first; None at the end."""
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
