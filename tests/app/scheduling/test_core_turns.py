"""app.scheduling.core_turns: requests take turns, in order, and none for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.scheduling.core_turns import Cores, share_of


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
    assert shares == [share_of(place, np.array(needs), cores) for place in range(len(needs))]


def test_no_core_is_left_over_while_requests_wait():
    draw = np.random.default_rng(1)
    for _ in range(500):
        cores, needs = int(draw.integers(1, 65)), draw.integers(0, 9, draw.integers(1, 65))
        shares = [share_of(place, needs, cores) for place in np.flatnonzero(needs)]
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
            with self._cores.one():
                self.order.append(name)
                begun.set()
                over.wait(60)

        waits_behind = len(self._cores._queue) + 1
        self.ends[name] = self._pool.submit(work)
        while not begun.is_set() and len(self._cores._queue) < waits_behind:
            begun.wait(0.001)

    def works(self, name):
        return self._begun[name].wait(60)

    def waits(self, name):
        return not self._begun[name].is_set()

    def end(self, name):
        self._over[name].set()
        self.ends[name].result(60)


def test_as_many_work_at_a_time_as_there_is_a_share_for_and_the_others_in_the_order_they_asked():
    work = Work(Cores(lambda: 2))
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
    work = Work(Cores(lambda: shares["now"]))
    for name in "abcd":
        work.begin(name)
    shares["now"] = 3
    work.end("a")

    assert work.works("b") and work.works("c") and work.works("d")
    for name in "bcd":
        work.end(name)


def test_nobody_waits_for_ever_for_one_that_hangs():
    work = Work(Cores(lambda: 1, patience_s=0.01))
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
    cores = Cores(lambda: 1, patience_s=3600)
    for _ in range(2):
        try:
            with cores.one():
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    with cores.one():
        pass


def test_one_that_passes_its_core_on_has_it_again_after_those_that_waited():
    cores, order, waits = Cores(lambda: 1), [], threading.Event()

    def other(name):
        waits.set()
        with cores.one():
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with cores.one():
            others = [pool.submit(other, name) for name in "bc"]
            while len(cores._queue) < 2:
                waits.wait(0.001)
            cores.pass_on()
            order.append("a")
        for each in others:
            each.result()

    assert list("bca") == order
    assert 0 == cores._working


def test_passing_on_costs_nothing_if_no_request_waits():
    cores = Cores(lambda: 1)
    with cores.one():
        cores.pass_on()

        assert 1 == cores._working
