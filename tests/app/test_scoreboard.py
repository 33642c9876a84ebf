"""app.scoreboard: how many requests are spoken by all workers, and so how many hands each may use."""

import os
import signal

import pytest

from app.scoreboard import Hands, Scoreboard


@pytest.mark.parametrize(
    "cores, speaking, allowed",
    [(4, 0, 4), (4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 9, 1), (1, 0, 1), (3, 2, 1), (64, 1, 4), (64, 20, 3)],
)
def test_requests_share_the_cores(cores, speaking, allowed):
    board = Scoreboard(2)
    hands = Hands(cores)
    hands.join(board.take_seat())
    board.take_seat().write(speaking)

    assert allowed == hands.allowed()


def test_a_request_counts_while_it_speaks_and_no_longer():
    hands = Hands(2)
    with pytest.raises(ZeroDivisionError), hands.speaking(), hands.speaking():
        assert 1 == hands.allowed()
        raise ZeroDivisionError

    assert 2 == hands.allowed()


def test_every_process_reads_what_the_others_wrote():
    board = Scoreboard(3)
    seats = [board.take_seat() for _ in range(3)]
    for seat in seats:
        child = os.fork()
        if child == 0:
            seat.write(2)
            os._exit(0)
        os.waitpid(child, 0)

    assert 6 == board.speaking()


def test_a_seat_whose_worker_was_killed_in_mid_speech_counts_no_more_once_it_is_left():
    board = Scoreboard(1)
    seat = board.take_seat()
    child = os.fork()
    if child == 0:
        seat.write(5)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert 5 == board.speaking()
    seat.leave()

    assert 0 == board.speaking()
    assert board.take_seat() == seat


def test_where_all_seats_are_taken_a_worker_does_without():
    board = Scoreboard(1)
    board.take_seat()

    assert board.take_seat() is None


def test_more_requests_than_a_byte_can_say_are_many():
    board = Scoreboard(1)
    board.take_seat().write(1000)

    assert 255 == board.speaking()
