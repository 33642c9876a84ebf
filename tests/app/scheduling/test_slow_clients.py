"""app.scheduling.slow_clients: answers that wait without a turn, and which one is disconnected for the next."""

import math
import socket
import threading
from contextlib import ExitStack

import pytest

from app.scheduling.admission import Turn
from app.scheduling.client_socket import ClientSocket, SlowClientError, SocketTimeouts
from app.scheduling.slow_clients import MAX_UNSENT_BYTES, MIN_WAITED_S, Delivery, Parking
from app.scoreboard.board import Scoreboard
from app.scoreboard.snapshot import snapshot
from app.system.heap import IdleHeap
from tests.support.waiting import until

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
RATE_HZ = 1000
#: More than the buffer of a socket.
MUCH = bytes(2_000_000)


class NeverCalled:
    """A timer of `IdleHeap` that never fires."""

    def __init__(self, _wait_s, _call):
        pass

    def start(self):
        pass

    def cancel(self):
        pass


class Answer:
    """A speech response in a thread, and its client, which reads only if the test reads for it."""

    def __init__(self, lot, audio_s=0.0, timeouts=SocketTimeouts()):
        server, self.client = socket.socketpair()
        self.now_s = 0.0
        self.connection = ClientSocket.wrap(server, timeouts, lambda: self.now_s)
        self.turns_returned = 0
        self.delivery = Delivery(lot.parking, self.connection, "id", Turn(self._return_turn))
        self.failure = None
        self._audio_s = audio_s
        self._thread = None

    def _return_turn(self):
        self.turns_returned += 1

    def send(self, data=MUCH):
        """Make a piece of audio and start to send these bytes, more than the socket's buffer by default."""
        with self.delivery.making():
            self.delivery.add_audio(self._audio_s)
        self.connection.sendall(HEAD)
        self._thread = threading.Thread(target=self._send, args=(data,))
        self._thread.start()

    def _send(self, data):
        try:
            self.connection.sendall(data)
        except OSError as error:
            self.failure = error

    def read(self, size_bytes):
        """Read this number of bytes as the client."""
        left = size_bytes
        while left and (piece := self.client.recv(left)):
            left -= len(piece)

    def is_waiting(self):
        return self.connection._waits_since_s is not None

    def end(self):
        self.client.close()
        if self._thread is not None:
            self._thread.join(30)
            assert not self._thread.is_alive()
        self.connection.close()


class Lot:
    """A parking lot on its own scoreboard, and answers in it."""

    def __init__(self, max_parked=4, places=1):
        self.board = Scoreboard(1)
        self.slot = self.board.take_slot()
        self.heap = IdleHeap(lambda: None, NeverCalled)
        self.parking = Parking(max_parked, places, self.heap, self.slot)
        self.stack = ExitStack()

    def answer(self, **options):
        answer = Answer(self, **options)
        self.stack.enter_context(answer.delivery)
        self.stack.callback(answer.end)
        return answer

    def parked(self, answer):
        """Send the answer until it is parked, and return it."""
        before = int(self.slot.row["parked"])
        answer.send()
        until(lambda: self.slot.row["parked"] > before)
        return answer

    def cuts(self):
        return snapshot(self.board).totals.cuts


@pytest.fixture
def lot():
    made_lots = []

    def make(**options):
        made_lots.append(Lot(**options))
        return made_lots[-1]

    yield make
    for each in made_lots:
        each.stack.close()
        assert (0, 0) == (each.slot.row["parked"], each.heap._busy)


def test_a_stream_whose_client_keeps_up_keeps_its_turn(lot):
    answer = lot().answer(audio_s=1.0)
    answer.send(b"all")
    answer.read(len(HEAD) + 3)

    assert 0 == answer.turns_returned


def test_a_stream_whose_client_falls_behind_waits_without_a_turn_and_does_not_keep_the_heap_busy(lot):
    busy = lot()
    answer = busy.parked(busy.answer(audio_s=1.0))
    until(lambda: busy.heap._busy == 0)

    assert 1 == answer.turns_returned


def test_a_parked_stream_resumes_with_its_client_and_stays_parked(lot):
    busy = lot()
    answer = busy.parked(busy.answer(audio_s=1.0))
    answer.read(len(HEAD) + len(MUCH))
    answer._thread.join(30)

    assert (None, 1, 1) == (answer.failure, answer.turns_returned, busy.slot.row["parked"])


def test_parked_streams_make_as_many_pieces_at_a_time_as_there_are_places(lot):
    busy = lot(places=1)
    answers = [busy.parked(busy.answer(audio_s=1.0)) for _ in range(2)]
    in_piece, go_on, order = threading.Event(), threading.Event(), []

    def slow_piece():
        in_piece.set()
        go_on.wait()
        order.append("first")

    def piece():
        order.append("second")

    def make(answer, work):
        with answer.delivery.making():
            work()

    threads = [threading.Thread(target=make, args=(answers[0], slow_piece))]
    threads[0].start()
    in_piece.wait()
    threads.append(threading.Thread(target=make, args=(answers[1], piece)))
    threads[1].start()
    assert [] == order
    go_on.set()
    for thread in threads:
        thread.join(30)

    assert ["first", "second"] == order


def test_a_whole_answer_returns_its_turn_before_it_is_sent(lot):
    busy = lot()
    answer = busy.answer(audio_s=1.0)
    answer.delivery.complete(len(MUCH))

    assert (1, 1) == (answer.turns_returned, busy.slot.row["parked"])


def test_whole_answers_above_the_limit_of_unsent_bytes_keep_their_turns(lot):
    busy = lot()
    answers = [busy.answer(audio_s=1.0) for _ in range(3)]
    answers[0].delivery.complete(MAX_UNSENT_BYTES + 1)
    answers[1].delivery.complete(MAX_UNSENT_BYTES)
    answers[2].delivery.complete(1)

    assert [0, 1, 0] == [each.turns_returned for each in answers]


def test_if_the_lot_is_full_the_stream_furthest_below_real_time_is_disconnected(lot):
    busy = lot(max_parked=2)
    slow, slowest = (busy.parked(busy.answer(audio_s=100.0)) for _ in range(2))
    slow.read(600_000)
    until(lambda: slow.connection.taken_bytes() >= 500_000 and slow.is_waiting())
    slow.now_s = slowest.now_s = 1000.0
    assert slowest.delivery.speed() < slow.delivery.speed() < 0.5
    next_one = busy.answer(audio_s=1.0)
    next_one.send()
    until(lambda: next_one.turns_returned)
    slowest._thread.join(30)

    assert isinstance(slowest.failure, BrokenPipeError)
    assert (None, 2) == (slow.failure, busy.slot.row["parked"])
    assert {"too_slow": 1, "stuck": 0} == busy.cuts()


def test_a_client_at_half_of_real_time_is_not_disconnected_and_the_next_answer_keeps_its_turn(lot):
    busy = lot(max_parked=1)
    player = busy.parked(busy.answer(audio_s=100.0))
    player.read(1_200_000)
    until(lambda: player.connection.taken_bytes() >= 1_000_000 and player.is_waiting())
    player.now_s = 90.0
    assert 0.5 < player.delivery.speed() < 0.8
    one_more = busy.answer(audio_s=1.0)
    one_more.delivery.complete(1)

    assert (0, 1) == (one_more.turns_returned, busy.slot.row["parked"])
    assert {"too_slow": 0, "stuck": 0} == busy.cuts()


def test_a_client_is_judged_only_after_some_seconds_of_waiting(lot):
    busy = lot(max_parked=1)
    waited = busy.parked(busy.answer(audio_s=1.0))
    waited.now_s = MIN_WAITED_S - 0.1
    assert math.inf == waited.delivery.speed()
    early = busy.answer(audio_s=1.0)
    early.delivery.complete(1)
    waited.now_s = MIN_WAITED_S + 10.0
    late = busy.answer(audio_s=1.0)
    late.delivery.complete(1)

    assert (0, 1) == (early.turns_returned, late.turns_returned)


def test_a_stream_that_could_not_be_parked_tries_again_while_it_waits(lot):
    busy = lot(max_parked=1)
    first = busy.parked(busy.answer(audio_s=1.0))
    second = busy.answer(audio_s=1.0)
    second.send()
    until(second.is_waiting)
    assert 0 == second.turns_returned
    first.now_s = 1000.0
    until(lambda: second.turns_returned)

    assert {"too_slow": 1, "stuck": 0} == busy.cuts()


def test_a_client_that_reads_nothing_is_counted_as_stuck(lot):
    busy = lot()
    answer = busy.answer(audio_s=1.0, timeouts=SocketTimeouts(stuck_s=0.02))
    answer.send()
    answer._thread.join(30)

    assert isinstance(answer.failure, SlowClientError)
    assert {"too_slow": 0, "stuck": 1} == busy.cuts()


def test_answers_without_speech_are_parked_while_they_wait_and_can_be_disconnected(lot):
    busy = lot(max_parked=1)
    page = Answer(busy)
    page.connection.while_waiting = busy.parking.waiting
    page.send()
    busy.stack.callback(page.end)
    until(lambda: busy.slot.row["parked"] == 1)
    page.now_s = 1000.0
    busy.answer(audio_s=1.0).delivery.complete(1)
    page._thread.join(30)

    assert isinstance(page.failure, BrokenPipeError)
    assert {"too_slow": 1, "stuck": 0} == busy.cuts()
