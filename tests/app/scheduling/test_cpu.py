"""app.scheduling.cpu: shares of the cores, threads per request, turns at the cores, and which worker stalls."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.scheduling.cpu import CoreTurns, CpuBudget, core_share
from app.scoreboard.board import Scoreboard
from tests.support.waiting import until


def made(cores, workers=1, **options):
    """Return the budget of a board's first worker, and the board."""
    board = Scoreboard(workers)
    return CpuBudget(board, board.take_slot(), cores, **options), board


@pytest.mark.parametrize(
    "cores, speaking, allowed",
    [(4, 0, 4), (4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (1, 0, 1), (3, 2, 1), (64, 1, 4), (64, 20, 3)],
)
def test_requests_share_the_cores(cores, speaking, allowed):
    budget, board = made(cores, workers=2)
    board.take_slot().set_gauges(speaking=speaking)

    assert allowed == budget.threads_per_request()


def test_without_parallel_work_each_request_has_one_thread():
    assert 1 == made(4, parallel=False)[0].threads_per_request()


@pytest.mark.parametrize(
    "cores, own, others, at_a_time",
    [
        pytest.param(2, 4, 4, 1, id="all workers speak as many as they may"),
        pytest.param(2, 4, 0, 2, id="the other worker is idle"),
        pytest.param(2, 1, 3, 1, id="one request has a core, whatever the others do"),
        pytest.param(8, 6, 2, 6, id="there are cores for all"),
        pytest.param(1, 3, 0, 1, id="there is one core"),
    ],
)
def test_a_workers_requests_work_on_its_share_of_the_cores_and_wait_for_it_unwatched(cores, own, others, at_a_time):
    budget, board = made(cores, workers=2)
    working, over = threading.Semaphore(0), threading.Event()
    board.take_slot().set_gauges(speaking=others)

    def speak():
        with budget.piece():
            working.release()
            over.wait()

    with ThreadPoolExecutor(own) as pool:
        try:
            requests = [pool.submit(speak) for _ in range(own)]
            while budget._slot.row["speaking"] < own:
                over.wait(0.001)
            assert all(working.acquire(timeout=4) for _ in range(at_a_time))
            assert not working.acquire(timeout=0.05)
            assert at_a_time == len(budget._pieces)
        finally:
            over.set()
        for request in requests:
            request.result()


def test_a_request_counts_while_it_speaks_and_no_longer():
    budget, _ = made(2)
    with pytest.raises(ZeroDivisionError), budget.piece(), budget.piece():
        assert 1 == budget.threads_per_request()
        raise ZeroDivisionError

    assert 2 == budget.threads_per_request()


def test_a_worker_stalls_by_the_oldest_piece_it_works_on():
    clock = itertools.count(100.0)
    budget, _ = made(2, stall_s=30.0, now=lambda: next(clock))
    row = budget._slot.row
    with budget.piece():
        assert (100.0, 130.0) == (row["request_since_s"], row["stalls_s"])
        with budget.piece():
            assert (2, 130.0) == (row["speaking"], row["stalls_s"])
    with budget.piece():
        assert 132.0 == row["stalls_s"]

    assert (0, 0.0, 0.0) == (row["speaking"], row["request_since_s"], row["stalls_s"])


def test_a_whole_utterance_has_ten_times_as_long_as_a_window():
    budget, _ = made(2, stall_s=30.0, now=lambda: 100.0)
    with budget.piece(whole=True):
        assert 400.0 == budget._slot.row["stalls_s"]
        with budget.piece():
            assert 130.0 == budget._slot.row["stalls_s"]
        assert 400.0 == budget._slot.row["stalls_s"]


def test_who_waits_for_anothers_utterance_is_not_watched_meanwhile():
    (budget, _), waits = made(4, stall_s=30.0), threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def wait_for_turn():
            waits.set()
            with budget.piece(whole=True):
                return True

        with budget.piece(whole=True):
            second = pool.submit(wait_for_turn)
            assert waits.wait(10)
            with pytest.raises(TimeoutError):
                second.result(0.2)
            assert 1 == len(budget._pieces)
        assert second.result()


def test_progress_that_is_not_heard_begins_the_watch_anew():
    clock = itertools.count(100.0, 10.0)
    budget, _ = made(1, stall_s=60.0, now=lambda: next(clock))

    with budget.piece() as renew:
        stalls_s = [budget._slot.row["stalls_s"]]
        renew()
        stalls_s.append(budget._slot.row["stalls_s"])
    assert [160.0, 170.0] == stalls_s


def test_progress_after_a_piece_watches_nothing():
    budget, _ = made(1)
    with budget.piece() as renew:
        pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(renew).result()

    assert (0.0, {}) == (budget._slot.row["stalls_s"], budget._pieces)
    with budget.piece():
        assert 1 == budget._turns._running


def test_progress_in_a_further_thread_keeps_the_turn():
    budget, _ = made(1)
    with budget.piece() as renew, ThreadPoolExecutor(1) as pool:
        pool.submit(renew).result()

        assert 1 == budget._turns._running


@pytest.mark.parametrize(
    "needs, cores, shares",
    [
        pytest.param([4, 4], 2, [1, 1], id="all workers speak as many as they may"),
        pytest.param([4, 3], 2, [1, 1], id="one has a request less"),
        pytest.param([4, 0], 2, [2, 1], id="the other is idle, and may begin"),
        pytest.param([1, 3], 2, [1, 1], id="one request has a core, whatever the others do"),
        pytest.param([6, 2], 8, [6, 2], id="there are cores for all"),
        pytest.param([2, 2, 1], 4, [2, 1, 1], id="what rounding leaves over goes to the first of those that lost most"),
        pytest.param([1, 2, 7], 4, [1, 1, 2], id="each has one, and the rest go to who has most to do"),
        pytest.param([3], 1, [1], id="there is one core"),
    ],
)
def test_workers_share_the_cores_by_their_requests(needs, cores, shares):
    assert shares == [core_share(place, np.array(needs), cores) for place in range(len(needs))]


def test_no_core_is_left_over_while_requests_wait():
    draw = np.random.default_rng(1)
    for _ in range(500):
        cores, needs = int(draw.integers(1, 65)), draw.integers(0, 9, draw.integers(1, 65))
        shares = [core_share(place, needs, cores) for place in np.flatnonzero(needs)]
        assert min(cores, needs.sum()) <= sum(shares) <= max(cores, np.count_nonzero(needs)) + np.count_nonzero(needs)


class Work:
    """Requests in threads of their own, each of which works until it is told to end."""

    def __init__(self, cores):
        self._cores = cores
        self._pool = ThreadPoolExecutor(8)
        self._begun = {}
        self._over = {}
        self.ends = {}
        self.order = []

    def begin(self, name):
        begun, over = self._begun[name], self._over[name] = threading.Event(), threading.Event()

        def work():
            with self._cores.hold():
                self.order.append(name)
                begun.set()
                over.wait(60)

        waits_behind = len(self._cores._queue) + 1
        self.ends[name] = self._pool.submit(work)
        until(lambda: begun.is_set() or len(self._cores._queue) >= waits_behind)

    def works(self, name):
        return self._begun[name].wait(60)

    def waits(self, name):
        return not self._begun[name].is_set()

    def end(self, name):
        self._over[name].set()
        self.ends[name].result(60)


def test_as_many_work_at_a_time_as_there_is_a_share_for_and_the_others_in_the_order_they_asked():
    work = Work(CoreTurns(lambda: 2))
    for name in "abcd":
        work.begin(name)
    assert work.works("a") and work.works("b") and work.waits("c") and work.waits("d")

    work.end("b")
    assert work.works("c") and work.waits("d")
    for name in "acd":
        work.end(name)
    assert list("abcd") == work.order


def test_a_larger_share_is_taken_by_those_who_wait_when_the_next_one_ends():
    shares = {"now": 1}
    work = Work(CoreTurns(lambda: shares["now"]))
    for name in "abcd":
        work.begin(name)
    shares["now"] = 3
    work.end("a")

    assert work.works("b") and work.works("c") and work.works("d")
    for name in "bcd":
        work.end(name)


def test_nobody_waits_for_ever_for_one_that_hangs():
    work = Work(CoreTurns(lambda: 1, max_wait_s=0.01))
    work.begin("hangs")
    work.begin("goes on")
    assert work.works("goes on")

    work.end("goes on")
    work.begin("third")  # the share is used up by the one that hangs, and it waits as long
    assert work.works("third")
    work.end("third")
    work.end("hangs")
    work.begin("last")
    assert work.works("last")
    work.end("last")


def test_a_piece_of_work_that_fails_gives_its_core_back():
    cores = CoreTurns(lambda: 1, max_wait_s=3600)
    for _ in range(2):
        try:
            with cores.hold():
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    with cores.hold():
        pass


def test_one_that_passes_its_core_on_has_it_again_after_those_that_waited():
    cores, order, waits = CoreTurns(lambda: 1), [], threading.Event()

    def other(name):
        waits.set()
        with cores.hold():
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with cores.hold():
            others = [pool.submit(other, name) for name in "bc"]
            while len(cores._queue) < 2:
                waits.wait(0.001)
            cores.pass_on()
            order.append("a")
        for each in others:
            each.result()

    assert list("bca") == order
    assert 0 == cores._running


def test_passing_on_costs_nothing_if_no_request_waits():
    cores = CoreTurns(lambda: 1)
    with cores.hold():
        cores.pass_on()

        assert 1 == cores._running
