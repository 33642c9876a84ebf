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
    message = r"^the queue is full \(2 wait\); try again in 8 s$"
    with pytest.raises(OverloadedError, match=message) as refused, busy.admission.turn(STAYS):
        pass

    # Three turns of 2.5 s, one after the other: the two in the queue, and its own.
    assert (503, 7.5) == (refused.value.status, refused.value.retry_after_s)
    assert {"Retry-After": "8", "retry-after-ms": "7500", "x-should-retry": "true"} == refused.value.headers()
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


def refusals_s(busy, count):
    """Return when each of some clients that are refused at the same time is to come back."""
    times_s = []
    for _ in range(count):
        with pytest.raises(OverloadedError) as refused, busy.admission.turn(STAYS):
            pass
        times_s.append(refused.value.retry_after_s)
    return times_s


def test_clients_that_are_refused_together_come_back_one_after_the_other(gate):
    """Six clients at two places without a queue: the first two speak until 1 s, and each of the others finds a free place."""
    busy = gate(places=2, queue=0)
    ends = [busy.begin(number) for number in range(2)]
    busy.slot.set_gauges(service_s=1.0)
    came_back_s = refusals_s(busy, 4)
    for end in ends:
        end.set()

    assert [1.0, 1.5, 2.0, 2.5] == came_back_s
    free_s = [1.0, 1.0]
    for back_s in came_back_s:
        assert min(free_s) <= back_s
        free_s[free_s.index(min(free_s))] = back_s + 1.0


def test_a_place_behind_the_queue_is_free_again_when_its_client_was_to_come_back(gate):
    busy = gate(queue=0)
    end = busy.begin(1)
    busy.slot.set_gauges(service_s=1.0)
    assert [1.0, 2.0] == refusals_s(busy, 2)
    busy.now_s = 1.0
    assert [2.0] == refusals_s(busy, 1)
    busy.now_s = 5.0
    assert [1.0] == refusals_s(busy, 1)
    end.set()


def test_the_clients_of_two_workers_come_back_at_different_times(gate):
    first = gate(queue=0)
    second = gate(queue=0, board=first.board)
    ends = [first.begin(1), second.begin(2)]
    for each in (first, second):
        each.slot.set_gauges(service_s=1.0)
    times_s = [*refusals_s(first, 3), *refusals_s(second, 3)]
    for end in ends:
        end.set()

    assert 6 == len(set(times_s))


def test_times_beyond_the_maximum_are_spread_below_it(gate):
    busy = gate(queue=0)
    end = busy.begin(1)
    busy.slot.set_gauges(service_s=3600.0)
    times_s = refusals_s(busy, 50)
    end.set()

    assert 50 == len({round(1000 * each) for each in times_s})
    assert 90 <= min(times_s) and 120 == max(times_s)


def test_a_flood_of_refusals_is_remembered_within_bounds(gate):
    busy = gate(queue=0)
    end = busy.begin(1)
    busy.slot.set_gauges(service_s=0.001)
    times_s = refusals_s(busy, 3000)
    end.set()

    assert 0.1 == min(times_s) and max(times_s) < 1.1
    assert len(busy.admission._returning_s) <= 1024


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
