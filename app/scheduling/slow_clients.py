"""Slow clients: their answers wait parked, without a turn and in bounded number; the slowest is cut for the next.

A turn is permission to use the processor, which an answer does not need while its client reads nothing. Such an answer is
parked: it gives its turn back, and its thread waits for the client. When the client reads on, a stream makes its next chunk
beside the requests that have turns, so that a client that plays in real time never waits behind whole requests.
"""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from app.logs import event
from app.scheduling.admission import Turn
from app.scheduling.client_socket import ClientSocket, SlowClientError
from app.scoreboard.board import Slot
from app.system.heap import IdleHeap

log = logging.getLogger("chorus.http")

#: Minimum speed of a client, in seconds of audio per second; a slower one may be cut.
MIN_SPEED = 0.5
#: A client is judged after this total wait: networks start slowly.
MIN_WAITED_S = 10.0
#: Of whole answers that are made and not sent. Streams hold one chunk each.
MAX_UNSENT_BYTES = 128 * 1024 * 1024
#: Bytes that count as a second of audio in an answer that is no audio.
_BYTES_PER_SECOND = 8_000


class Delivery:
    """The delivery of one answer to its client, entered before the first chunk is made.

    For the thread of its request, except what `Parking` calls.
    """

    def __init__(
        self, parking: "Parking", connection: ClientSocket | None, request_id: str | None = None, turn: Turn | None = None
    ) -> None:
        """Start with the turn, which is given back when the answer is parked; None for an answer that is no speech."""
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

    def making(self) -> AbstractContextManager[None]:
        """Return the context in which the next chunk is made: that of a parked answer waits for a place."""
        return self._parking.piece() if self._is_resting else nullcontext()

    def add_audio(self, audio_s: float) -> None:
        """Count `audio_s` seconds of audio that are on their way."""
        self._audio_s += audio_s

    def complete(self, size_bytes: int) -> None:
        """Give the turn back: a whole answer of that size remains to be sent. Keeps it if there is no room to park."""
        self._size_bytes = size_bytes
        self._park()

    def speed(self) -> float:
        """Return how many seconds of audio the client read per second of waiting for it; infinity before it is judged."""
        connection = self.connection
        if connection is None or (waited_s := connection.waited_s()) < MIN_WAITED_S:
            return math.inf
        taken_bytes = connection.taken_bytes()
        if not self._audio_s:
            return taken_bytes / _BYTES_PER_SECOND / waited_s
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
        with self._parking.counting_stuck(self):
            yield


class Parking:
    """The parked answers of one worker. Used by many threads, each with a request."""

    def __init__(self, max_parked: int, places: int, heap: IdleHeap, slot: Slot) -> None:
        """Start empty.

        Args:
            max_parked: answers at a time.
            places: how many parked streams make a chunk at the same time, beside the requests that have turns.
            heap: of this worker. A parked answer needs it only while it makes a chunk.
            slot: this worker's.
        """
        self.heap = heap
        self._max_parked = max_parked
        self._places = threading.Semaphore(places)
        self._slot = slot
        self._lock = threading.Lock()
        self._parked: set[Delivery] = set()

    @contextmanager
    def waiting(self, connection: ClientSocket) -> Iterator[None]:
        """Park an answer that is no speech, such as a page, while its client reads nothing."""
        delivery = Delivery(self, connection)
        self.admit(delivery)
        try:
            with self.counting_stuck(delivery):
                yield
        finally:
            self.leave(delivery)

    @contextmanager
    def piece(self) -> Iterator[None]:
        """Wait for a place, and hold it while a parked stream makes one chunk."""
        with self._places, self.heap.work():
            yield

    @contextmanager
    def counting_stuck(self, delivery: Delivery) -> Iterator[None]:
        """Count and log the answer as cut if its client stops reading."""
        try:
            yield
        except SlowClientError:
            self._count_cut("stuck", delivery)
            raise

    def admit(self, delivery: Delivery) -> bool:
        """Park an answer, after cutting slower ones if there is no room; return whether it is parked."""
        size_bytes = delivery.unsent_bytes()
        if size_bytes > MAX_UNSENT_BYTES:
            return False
        with self._lock:
            while not self._has_room(size_bytes):
                slowest = min(self._parked, key=Delivery.speed)
                if slowest.speed() >= MIN_SPEED:
                    return False
                self._cut(slowest)
            self._parked.add(delivery)
            self._publish()
            return True

    def leave(self, delivery: Delivery) -> None:
        """Free the room of an answer, if it is parked."""
        with self._lock:
            self._parked.discard(delivery)
            self._publish()

    def _has_room(self, size_bytes: int) -> bool:
        if len(self._parked) >= self._max_parked:
            return False
        return size_bytes + sum(each.unsent_bytes() for each in self._parked) <= MAX_UNSENT_BYTES

    def _cut(self, delivery: Delivery) -> None:
        self._parked.remove(delivery)
        self._count_cut("too_slow", delivery)
        if delivery.connection is not None:
            delivery.connection.hang_up()

    def _count_cut(self, reason: str, delivery: Delivery) -> None:
        self._slot.count_cut(reason)
        connection = delivery.connection
        taken_bytes, waited_s = (0, 0.0) if connection is None else (connection.taken_bytes(), connection.waited_s())
        event(
            log, "answer.cut", request_id=delivery.request_id, reason=reason, taken_bytes=taken_bytes,
            waited_s=round(waited_s, 1),
        )  # fmt: skip

    def _publish(self) -> None:
        self._slot.set_gauges(parked=len(self._parked))
