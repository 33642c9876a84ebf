"""Answers that wait for their clients: without a turn, a bounded number in each worker, the slowest one cut for the next.

A turn is permission to use the processor, and an answer whose client does not take what is made needs none. It is parked: it
gives its turn back, and its thread waits for the client. When the client takes more, a stream makes its next piece beside
those that have turns, so that a client that plays in real time never waits behind whole requests.
"""

import logging
import math
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Self

from app.logs import event
from app.scheduling.admission import Turn
from app.scheduling.client_socket import ClientSocket, SlowClientError
from app.scoreboard.slot import Seat
from app.system.heap import IdleHeap
from loader.voices.segments import Chunk

log = logging.getLogger("chorus.http")

#: Seconds of audio that a client has to take in a second; one that takes less may be cut.
MIN_PACE = 0.5
#: A client is not judged before it was waited for so long in all: a network may be slow to begin.
MIN_WAITED_S = 10.0
#: Of whole answers that are made and not sent. Streams hold a piece each.
MAX_UNSENT_BYTES = 128 * 1024 * 1024
#: So much of an answer that is no audio counts as a second of it.
_BYTES_A_SECOND = 8_000


class Delivery:
    """How one answer gets to its client. For the thread of its request, but for what `Parking` asks."""

    def __init__(
        self, parking: "Parking", connection: ClientSocket | None, request_id: str | None = None, turn: Turn | None = None
    ) -> None:
        """Begin with the turn, which is given back when the answer is parked; None if it has none."""
        self.request_id = request_id
        self.connection = connection
        self._parking = parking
        self._turn = turn
        self._audio_s = 0.0
        #: Of a whole answer.
        self._size_bytes = 0
        self._is_parked = self._is_resting = False

    def __enter__(self) -> Self:
        self._parking.heap.work_begins()
        if self.connection is not None:
            self.connection.while_waiting = self._waiting
        return self

    def __exit__(self, *_error: object) -> None:
        if self.connection is not None:
            # Each would keep the other alive.
            self.connection.while_waiting = self._parking.waiting
        if self._is_resting:
            self._parking.heap.work_begins()
        self._parking.leave(self)
        self._parking.heap.work_ends()

    def paced(self, stretches: Generator[Chunk, None, None], rate_hz: int) -> Generator[Chunk, None, None]:
        """Pass on all pieces; each that is made after the answer was parked waits for one of the places for those."""
        with closing(stretches):
            while True:
                with self._parking.piece() if self._is_resting else nullcontext():
                    stretch = next(stretches, None)
                if stretch is None:
                    return
                self._audio_s += stretch.samples.size / rate_hz
                yield stretch

    def is_made(self, size_bytes: int) -> None:
        """Give the turn back: nothing is left to do but to send so many bytes. Keeps it while there is no room for them."""
        self._size_bytes = size_bytes
        self._park()

    def pace(self) -> float:
        """Return how many seconds of audio the client took in each second it was waited for; infinity before it can be judged."""
        connection = self.connection
        if connection is None or (waited_s := connection.waited_s()) < MIN_WAITED_S:
            return math.inf
        taken_bytes = connection.taken_bytes()
        if not self._audio_s:
            return taken_bytes / _BYTES_A_SECOND / waited_s
        return self._audio_s * taken_bytes / max(1, self._size_bytes, connection.handed_bytes) / waited_s

    def unsent_bytes(self) -> int:
        """Return how much of a whole answer is made and not sent; 0 for a stream."""
        return max(0, self._size_bytes - (0 if self.connection is None else self.connection.sent_bytes))

    def _park(self) -> None:
        if self._is_parked or self._turn is None or not self._parking.admit(self):
            return
        self._is_parked = True
        self._turn.give_back()

    @contextmanager
    def _waiting(self, _connection: ClientSocket) -> Iterator[None]:
        self._park()
        if self._is_parked and not self._is_resting:
            self._is_resting = True
            self._parking.heap.work_ends()
        with self._parking.judging(self):
            yield


class Parking:
    """The answers of one worker that wait for their clients. Used by many threads, each with a request."""

    def __init__(self, max_parked: int, places: int, heap: IdleHeap, seat: Seat) -> None:
        """Park nothing yet.

        Args:
            max_parked: answers at a time.
            places: how many of the streams among them make a piece at the same time, beside the requests that have turns.
            heap: of this worker. A parked answer needs it for the pieces it makes only.
            seat: this worker's.
        """
        self.heap = heap
        self._max_parked = max_parked
        self._places = threading.Semaphore(places)
        self._lock = threading.Lock()
        self._parked: set[Delivery] = set()
        self.join(seat)

    def join(self, seat: Seat) -> None:
        """Count in that seat. Runs in a worker, before its first request."""
        self._seat = seat

    def delivery(self, request_id: str, turn: Turn, connection: ClientSocket | None) -> Delivery:
        """Return the delivery of one speech, to be entered before its first piece is made."""
        return Delivery(self, connection, request_id, turn)

    @contextmanager
    def waiting(self, connection: ClientSocket) -> Iterator[None]:
        """Park an answer that is no speech, or of which nothing more is known, while its client is waited for."""
        delivery = Delivery(self, connection)
        self.admit(delivery)
        try:
            with self.judging(delivery):
                yield
        finally:
            self.leave(delivery)

    @contextmanager
    def piece(self) -> Iterator[None]:
        """Make one piece of a parked stream, once there is a place."""
        with self._places, self.heap.work():
            yield

    @contextmanager
    def judging(self, delivery: Delivery) -> Iterator[None]:
        """Count and log the answer as cut if its client takes nothing any more."""
        try:
            yield
        except SlowClientError:
            self._count("stuck", delivery)
            raise

    def admit(self, delivery: Delivery) -> bool:
        """Park an answer, for which slower ones are cut if there is no room; return false if there is none to cut."""
        size_bytes = delivery.unsent_bytes()
        if size_bytes > MAX_UNSENT_BYTES:
            return False
        with self._lock:
            while not self._has_room(size_bytes):
                slowest = min(self._parked, key=Delivery.pace)
                if slowest.pace() >= MIN_PACE:
                    return False
                self._cut(slowest)
            self._parked.add(delivery)
            self._show()
            return True

    def leave(self, delivery: Delivery) -> None:
        """Have its room for another; nothing happens if it was not parked, or was cut."""
        with self._lock:
            self._parked.discard(delivery)
            self._show()

    def _has_room(self, size_bytes: int) -> bool:
        if len(self._parked) >= self._max_parked:
            return False
        return size_bytes + sum(each.unsent_bytes() for each in self._parked) <= MAX_UNSENT_BYTES

    def _cut(self, delivery: Delivery) -> None:
        self._parked.remove(delivery)
        self._count("too_slow", delivery)
        if delivery.connection is not None:
            delivery.connection.hang_up()

    def _count(self, why: str, delivery: Delivery) -> None:
        self._seat.cut(why)
        connection = delivery.connection
        taken_bytes, waited_s = (0, 0.0) if connection is None else (connection.taken_bytes(), connection.waited_s())
        event(
            log, "answer.cut", request_id=delivery.request_id, reason=why, taken_bytes=taken_bytes, waited_s=round(waited_s, 1)
        )  # fmt: skip

    def _show(self) -> None:
        self._seat.show(parked=len(self._parked))
