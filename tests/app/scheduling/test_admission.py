"""app.scheduling.admission: which requests get a turn, which wait, and which are refused."""

import threading

import pytest

from app.errors import ClientDisconnectedError, OverloadedError, WaitedTooLongError
from app.scheduling.admission import Admission
from app.scheduling.deadline import Client
from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import State
from app.scoreboard.snapshot import snapshot
from loader.config.settings import AdmissionSettings
from tests.support.waiting import until

STAYS = Client(lambda: False, 0.0)


class Gate:
    """An admission on its own scoreboard, and requests that keep their turn until the test ends them."""

    def __init__(self, places=1, queue=8, wait_s=30.0, board=None):
        self.board = board or Scoreboard(2)
        self.slot = self.board.take_slot()
        self.slot.set_state(State.READY)
        self.now_s = 0.0
        settings = AdmissionSettings(queue=queue, wait_s=wait_s, stall_s=60.0)
        self.admission = Admission(places, settings, self.board, self.slot, now=lambda: self.now_s)
        self.served = []
        self.threads = []

    def begin(self, name, client=STAYS):
        """Ask for a turn in a thread; return an event that ends the turn, once the request has it or is queued."""
        end = threading.Event()
        before = int(self.slot.row["active"])

        def request():
            try:
                with self.admission.turn(client):
                    self.served.append(name)
                    end.wait()
            except Exception as error:
                self.served.append(error)

        self.threads.append(threading.Thread(target=request))
        self.threads[-1].start()
        until(lambda: self.slot.row["active"] > before or not self.threads[-1].is_alive())
        return end


@pytest.fixture
def gate():
    made = []

    def make(**keys):
        made.append(Gate(**keys))
        return made[-1]

    yield make
    for each in made:
        for thread in each.threads:
            thread.join(30)
            assert not thread.is_alive()
        assert (0, 0) == (each.slot.row["active"], each.slot.row["waiting"])


def test_requests_get_their_turns_in_order_of_arrival(gate):
    busy = gate()
    ends = [busy.begin(number) for number in range(5)]
    assert (5, 4) == (busy.slot.row["active"], busy.slot.row["waiting"])
    for served, end in enumerate(ends, start=1):
        until(lambda served=served: len(busy.served) >= served)
        assert list(range(served)) == busy.served
        end.set()


def test_as_many_requests_run_at_a_time_as_there_are_places(gate):
    busy = gate(places=3)
    ends = [busy.begin(number) for number in range(3)]
    until(lambda: len(busy.served) == 3)

    assert (3, 0) == (busy.slot.row["active"], busy.slot.row["waiting"])
    for end in ends:
        end.set()


def test_a_request_is_refused_at_once_with_retry_after_if_the_queue_is_full(gate):
    busy = gate(queue=2)
    ends = [busy.begin(number) for number in range(3)]
    busy.slot.set_gauges(service_s=2.5)
    with pytest.raises(OverloadedError, match="try again in 8 s") as refused, busy.admission.turn(STAYS):
        pass

    # Three turns of 2.5 s, one after the other: the two in the queue, and its own.
    assert (503, 8) == (refused.value.status, refused.value.retry_after_s)
    assert 1 == snapshot(busy.board).totals.refusals["queue_full"]
    for end in ends:
        end.set()


def test_all_workers_share_one_queue_limit(gate):
    first = gate(queue=2)
    second = gate(queue=2, board=first.board)
    ends = [first.begin(1), first.begin(2), second.begin(3), second.begin(4)]
    with pytest.raises(OverloadedError), second.admission.turn(STAYS):
        pass
    for end in ends:
        end.set()


def test_retry_after_is_at_most_two_minutes(gate):
    busy = gate(queue=0)
    end = busy.begin(1)
    busy.slot.set_gauges(service_s=3600.0)
    with pytest.raises(OverloadedError) as refused, busy.admission.turn(STAYS):
        pass
    end.set()

    assert 120 == refused.value.retry_after_s


def test_a_request_that_has_waited_for_wait_s_is_refused_and_leaves_the_queue(gate):
    busy = gate(wait_s=5.0)
    end = busy.begin(1)
    busy.begin(2)
    busy.now_s = 5.0
    until(lambda: len(busy.served) == 2)

    assert isinstance(busy.served[1], WaitedTooLongError)
    assert (1, 0) == (busy.slot.row["active"], busy.slot.row["waiting"])
    end.set()


def test_a_client_can_set_a_shorter_wait(gate):
    busy = gate()
    end = busy.begin(1)
    busy.begin(2, Client(lambda: False, 0.0, deadline_s=1.0))
    busy.now_s = 1.0
    until(lambda: len(busy.served) == 2)
    end.set()

    assert isinstance(busy.served[1], WaitedTooLongError)


def test_a_request_that_arrives_too_old_is_refused_though_there_is_a_free_place(gate):
    idle = gate(wait_s=5.0)
    idle.now_s = 100.0
    with pytest.raises(WaitedTooLongError), idle.admission.turn(Client(lambda: False, arrived_s=95.0)):
        raise AssertionError("it had its turn")

    with idle.admission.turn(Client(lambda: False, arrived_s=95.1)):
        assert 1 == idle.slot.row["active"]


def test_a_client_that_disconnects_while_it_waits_leaves_the_queue(gate):
    busy, left = gate(), threading.Event()
    end = busy.begin(1)
    busy.begin(2, Client(left.is_set, 0.0))
    left.set()
    until(lambda: len(busy.served) == 2)
    end.set()

    assert isinstance(busy.served[1], ClientDisconnectedError)


def test_the_turn_of_a_disconnected_client_goes_to_the_next_request(gate):
    busy, left = gate(), threading.Event()
    first = busy.begin(1)
    busy.begin(2, Client(left.is_set, 0.0))
    third = busy.begin(3)
    left.set()
    first.set()
    until(lambda: 3 in busy.served)
    third.set()

    assert [1, 3] == [each for each in busy.served if not isinstance(each, Exception)]


def test_a_request_that_fails_returns_its_turn(gate):
    failing = gate()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), failing.admission.turn(STAYS):
            raise ZeroDivisionError


def test_service_time_is_a_moving_average_and_times_are_recorded(gate):
    measured = gate()
    for seconds in (2.0, 4.0):
        with measured.admission.turn(Client(lambda: False, measured.now_s - 1.0)) as turn:
            measured.now_s += seconds
            assert 1.0 == turn.queue_s
    totals = snapshot(measured.board).totals

    assert pytest.approx(2.2) == measured.slot.row["service_s"]
    assert (2.0, 8.0) == (totals.histograms["queue_s"].sum, totals.histograms["request_s"].sum)
