"""app.scheduling.cpu: core shares, threads per request, turns at the cores, and the stall deadline of a worker."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.scheduling.cpu import CoreTurns, CpuBudget, core_share
from app.scoreboard.board import Scoreboard
from tests.support.waiting import until


def make_budget(cores, workers=1, **options):
    """Return the budget of a board's first worker, and the board."""
    board = Scoreboard(workers)
    return CpuBudget(board, board.take_slot(), cores, **options), board


@pytest.mark.parametrize(
    "cores, speaking, allowed",
    [(4, 0, 4), (4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (1, 0, 1), (3, 2, 1), (64, 1, 4), (64, 20, 3)],
)
def test_requests_share_the_cores(cores, speaking, allowed):
    budget, board = make_budget(cores, workers=2)
    board.take_slot().set_gauges(speaking=speaking)

    assert allowed == budget.threads_per_request()


def test_each_request_has_one_thread_without_parallel_decoding():
    assert 1 == make_budget(4, parallel=False)[0].threads_per_request()


@pytest.mark.parametrize(
    "cores, own, others, at_a_time",
    [
        pytest.param(2, 4, 4, 1, id="all workers are busy"),
        pytest.param(2, 4, 0, 2, id="the other worker is idle"),
        pytest.param(2, 1, 3, 1, id="one request has a core though the others are busy"),
        pytest.param(8, 6, 2, 6, id="there are enough cores"),
        pytest.param(1, 3, 0, 1, id="there is one core"),
    ],
)
def test_the_requests_of_a_worker_run_on_its_share_of_the_cores_and_queued_ones_have_no_deadline(cores, own, others, at_a_time):
    budget, board = make_budget(cores, workers=2)
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


def test_a_request_counts_only_while_it_speaks():
    budget, _ = make_budget(2)
    with pytest.raises(ZeroDivisionError), budget.piece(), budget.piece():
        assert 1 == budget.threads_per_request()
        raise ZeroDivisionError

    assert 2 == budget.threads_per_request()


def test_the_stall_deadline_is_that_of_the_oldest_piece():
    clock = itertools.count(100.0)
    budget, _ = make_budget(2, stall_s=30.0, now=lambda: next(clock))
    row = budget._slot.row
    with budget.piece():
        assert (100.0, 130.0) == (row["request_since_s"], row["stalls_s"])
        with budget.piece():
            assert (2, 130.0) == (row["speaking"], row["stalls_s"])
    with budget.piece():
        assert 132.0 == row["stalls_s"]

    assert (0, 0.0, 0.0) == (row["speaking"], row["request_since_s"], row["stalls_s"])


def test_a_whole_utterance_has_ten_times_the_stall_deadline_of_a_window():
    budget, _ = make_budget(2, stall_s=30.0, now=lambda: 100.0)
    with budget.piece(whole=True):
        assert 400.0 == budget._slot.row["stalls_s"]
        with budget.piece():
            assert 130.0 == budget._slot.row["stalls_s"]
        assert 400.0 == budget._slot.row["stalls_s"]


def test_a_request_that_waits_for_another_utterance_has_no_stall_deadline():
    (budget, _), waits = make_budget(4, stall_s=30.0), threading.Event()
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


def test_progress_without_audio_renews_the_stall_deadline():
    clock = itertools.count(100.0, 10.0)
    budget, _ = make_budget(1, stall_s=60.0, now=lambda: next(clock))

    with budget.piece() as renew:
        stalls_s = [budget._slot.row["stalls_s"]]
        renew()
        stalls_s.append(budget._slot.row["stalls_s"])
    assert [160.0, 170.0] == stalls_s


def test_progress_after_the_piece_sets_no_deadline():
    budget, _ = make_budget(1)
    with budget.piece() as renew:
        pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(renew).result()

    assert (0.0, {}) == (budget._slot.row["stalls_s"], budget._pieces)
    with budget.piece():
        assert 1 == budget._turns._running


def test_progress_in_another_thread_keeps_the_turn():
    budget, _ = make_budget(1)
    with budget.piece() as renew, ThreadPoolExecutor(1) as pool:
        pool.submit(renew).result()

        assert 1 == budget._turns._running


@pytest.mark.parametrize(
    "needs, cores, shares",
    [
        pytest.param([4, 4], 2, [1, 1], id="all workers are busy"),
        pytest.param([4, 3], 2, [1, 1], id="one has one request less"),
        pytest.param([4, 0], 2, [2, 1], id="the idle worker keeps one core"),
        pytest.param([1, 3], 2, [1, 1], id="one request has a core though the others are busy"),
        pytest.param([6, 2], 8, [6, 2], id="there are enough cores"),
        pytest.param([2, 2, 1], 4, [2, 1, 1], id="the core lost by rounding goes to the first of the workers that lost most"),
        pytest.param([1, 2, 7], 4, [1, 1, 2], id="each has one and the busiest has the rest"),
        pytest.param([3], 1, [1], id="there is one core"),
    ],
)
def test_workers_share_the_cores_in_proportion_to_their_requests(needs, cores, shares):
    assert shares == [core_share(place, np.array(needs), cores) for place in range(len(needs))]


def test_all_cores_are_used_while_requests_wait():
    draw = np.random.default_rng(1)
    for _ in range(500):
        cores, needs = int(draw.integers(1, 65)), draw.integers(0, 9, draw.integers(1, 65))
        shares = [core_share(place, needs, cores) for place in np.flatnonzero(needs)]
        assert min(cores, needs.sum()) <= sum(shares) <= max(cores, np.count_nonzero(needs)) + np.count_nonzero(needs)


class Workload:
    """Requests in threads, each of which works until the test ends it."""

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


def test_requests_up_to_the_share_run_and_the_others_follow_in_order():
    work = Workload(CoreTurns(lambda: 2))
    for name in "abcd":
        work.begin(name)
    assert work.works("a") and work.works("b") and work.waits("c") and work.waits("d")

    work.end("b")
    assert work.works("c") and work.waits("d")
    for name in "acd":
        work.end(name)
    assert list("abcd") == work.order


def test_queued_requests_take_a_larger_share_at_the_next_end():
    shares = {"now": 1}
    work = Workload(CoreTurns(lambda: shares["now"]))
    for name in "abcd":
        work.begin(name)
    shares["now"] = 3
    work.end("a")

    assert work.works("b") and work.works("c") and work.works("d")
    for name in "bcd":
        work.end(name)


def test_a_hung_request_delays_the_others_by_max_wait_s_only():
    work = Workload(CoreTurns(lambda: 1, max_wait_s=0.01))
    work.begin("hangs")
    work.begin("goes on")
    assert work.works("goes on")

    work.end("goes on")
    work.begin("third")  # the hung request uses up the share, so this one waits max_wait_s too
    assert work.works("third")
    work.end("third")
    work.end("hangs")
    work.begin("last")
    assert work.works("last")
    work.end("last")


def test_a_piece_that_fails_returns_its_core():
    """Not by a second piece: it would wait until the time limit of the test."""
    cores = CoreTurns(lambda: 1, max_wait_s=3600)
    with pytest.raises(ZeroDivisionError), cores.hold():
        raise ZeroDivisionError

    assert 0 == cores._running


def test_a_request_that_passes_its_core_on_gets_it_back_after_the_queued_ones():
    cores, order = CoreTurns(lambda: 1), []

    def other(name):
        with cores.hold():
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with cores.hold():
            others = [pool.submit(other, name) for name in "bc"]
            until(lambda: len(cores._queue) == 2)
            cores.pass_on()
            order.append("a")
        for each in others:
            each.result()

    assert list("bca") == order
    assert 0 == cores._running


def test_passing_on_keeps_the_core_if_the_queue_is_empty():
    cores = CoreTurns(lambda: 1)
    with cores.hold():
        cores.pass_on()

        assert 1 == cores._running
