"""app.scheduling.cpu: how many requests are spoken by all workers, so how many hands each may use, and who is stalled."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.scheduling.cpu import Hands
from app.scoreboard.board import Scoreboard


@pytest.mark.parametrize(
    "cores, speaking, allowed",
    [(4, 0, 4), (4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (1, 0, 1), (3, 2, 1), (64, 1, 4), (64, 20, 3)],
)
def test_requests_share_the_cores(cores, speaking, allowed):
    board = Scoreboard(2)
    hands = Hands(cores)
    hands.join(board, board.take_seat())
    board.take_seat().show(speaking=speaking)

    assert allowed == hands.allowed()


def test_without_parallel_work_each_request_has_one_hand():
    assert 1 == Hands(4, parallel=False).allowed()


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
    board, working, over = Scoreboard(2), threading.Semaphore(0), threading.Event()
    hands = Hands(cores)
    hands.join(board, board.take_seat())
    board.take_seat().show(speaking=others)

    def speak():
        with hands.speaking():
            working.release()
            over.wait()

    with ThreadPoolExecutor(own) as pool:
        try:
            requests = [pool.submit(speak) for _ in range(own)]
            while hands.seat.row["speaking"] < own:
                over.wait(0.001)
            assert all(working.acquire(timeout=4) for _ in range(at_a_time))
            assert not working.acquire(timeout=0.05)
            assert at_a_time == len(hands._watched)
        finally:
            over.set()
        for request in requests:
            request.result()


def test_a_request_counts_while_it_speaks_and_no_longer():
    hands = Hands(2)
    with pytest.raises(ZeroDivisionError), hands.speaking(), hands.speaking():
        assert 1 == hands.allowed()
        raise ZeroDivisionError

    assert 2 == hands.allowed()


def test_a_worker_stalls_by_the_oldest_piece_it_works_on():
    clock = itertools.count(100.0)
    hands = Hands(2, stall_s=30.0, now=lambda: next(clock))
    row = hands.seat.row
    with hands.speaking():
        assert (100.0, 130.0) == (row["request_since_s"], row["stalls_s"])
        with hands.speaking():
            assert (2, 130.0) == (row["speaking"], row["stalls_s"])
    with hands.speaking():
        assert 132.0 == row["stalls_s"]

    assert (0, 0.0, 0.0) == (row["speaking"], row["request_since_s"], row["stalls_s"])


def test_a_whole_utterance_has_ten_times_as_long_as_a_window():
    hands = Hands(2, stall_s=30.0, now=lambda: 100.0)
    with hands.speaking(whole=True):
        assert 400.0 == hands.seat.row["stalls_s"]
        with hands.speaking():
            assert 130.0 == hands.seat.row["stalls_s"]
        assert 400.0 == hands.seat.row["stalls_s"]


def test_who_waits_for_anothers_utterance_is_not_watched_meanwhile():
    hands, waits = Hands(4, stall_s=30.0), threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def wait_for_turn():
            waits.set()
            with hands.speaking(whole=True):
                return True

        with hands.speaking(whole=True):
            second = pool.submit(wait_for_turn)
            assert waits.wait(10)
            with pytest.raises(TimeoutError):
                second.result(0.2)
            assert 1 == len(hands._watched)
        assert second.result()


def test_progress_that_is_not_heard_begins_the_watch_anew():
    clock = itertools.count(100.0, 10.0)
    hands = Hands(1, stall_s=60.0, now=lambda: next(clock))

    with hands.speaking() as renew:
        stalls_s = [hands.seat.row["stalls_s"]]
        renew()
        stalls_s.append(hands.seat.row["stalls_s"])
    assert [160.0, 170.0] == stalls_s


def test_progress_after_a_piece_watches_nothing():
    hands = Hands(1)
    with hands.speaking() as renew:
        pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(renew).result()

    assert (0.0, {}) == (hands.seat.row["stalls_s"], hands._watched)
    with hands.speaking():
        assert 1 == hands._turns._working


def test_progress_in_a_further_thread_keeps_the_turn():
    hands = Hands(1)
    with hands.speaking() as renew, ThreadPoolExecutor(1) as pool:
        pool.submit(renew).result()

        assert 1 == hands._turns._working
