"""app.rollout.canary: what a canary has served is compared with what the others have served meanwhile."""

import pytest

from app.errors import RolloutError
from app.rollout.canary import CanaryWatch, Tally, require_as_good
from app.scoreboard.board import Scoreboard
from loader.config.settings import RolloutSettings

BOUNDS = RolloutSettings(canary_s=10.0)
OTHERS = Tally(speeches=100, failures=0, factors=10.0, timed=100)


@pytest.mark.parametrize(
    "canary, is_good",
    [
        (Tally(), True),
        (Tally(2, 0, 2.0, 2), True),
        (Tally(9, 0, 9.0, 9), False),
        (Tally(20, 0, 2.5, 20), True),
        (Tally(20, 0, 2.7, 20), False),
        (Tally(5, 1, 0.4, 4), False),
    ],
    ids=["no traffic", "too few to compare", "few and slow", "a little slower", "slow", "one failure"],
)
def test_a_canary_is_good_or_is_watched_for_longer(canary, is_good):
    assert is_good is require_as_good(canary, OTHERS, BOUNDS, is_last=False)


def test_a_slow_canary_is_refused_at_the_end():
    with pytest.raises(RolloutError, match="real-time factor is 2.00 times that of the others; at most 1.3 times"):
        require_as_good(Tally(20, 0, 4.0, 20), OTHERS, BOUNDS, is_last=True)


@pytest.mark.parametrize("canary", [Tally(20, 1, 2.0, 20), Tally(9, 0, 9.0, 9)], ids=["one failure", "few and slow"])
def test_what_may_be_chance_is_no_reason_at_the_end(canary):
    assert require_as_good(canary, OTHERS, BOUNDS, is_last=True)


def test_a_canary_that_fails_is_refused_at_once_unless_the_others_fail_as_well():
    failing = Tally(20, 2, 2.0, 20)
    with pytest.raises(RolloutError, match="2 of its 20 requests failed, and 0 of 100 of the others"):
        require_as_good(failing, OTHERS, BOUNDS, is_last=False)

    assert require_as_good(failing, Tally(100, 10, 10.0, 100), BOUNDS, is_last=True)


@pytest.fixture
def board():
    return Scoreboard(3)


def speak(slot, count, rtf, outcome="done"):
    for _ in range(count):
        slot.observe({"rtf": rtf})
        slot.count_speech(outcome, 10)


def test_only_what_is_served_from_now_on_counts(board):
    canary, other = board.take_slot(), board.take_slot()
    speak(canary, 5, 9.0, "failed")  # by an earlier worker of that slot
    speak(other, 3, 9.0)
    watch = CanaryWatch(board, canary, BOUNDS, now_s=100.0)
    speak(canary, 12, 0.1)
    speak(other, 20, 0.1)
    late = board.take_slot()
    speak(late, 1, 0.1)

    of_canary, of_others = watch.served()
    assert (12, 0, 21) == (of_canary.speeches, of_canary.failures, of_others.speeches)


@pytest.mark.parametrize("rtf, passes_s", [(0.1, 10.0), (0.2, None)])
def test_a_canary_passes_after_its_time_and_a_slow_one_is_refused_after_three_times_as_long(board, rtf, passes_s):
    canary, other = board.take_slot(), board.take_slot()
    watch = CanaryWatch(board, canary, BOUNDS, now_s=100.0)
    speak(canary, 12, rtf)
    speak(other, 12, 0.1)

    assert not watch.is_passed(109.9)
    if passes_s is not None:
        assert watch.is_passed(100.0 + passes_s)
        return
    assert not watch.is_passed(129.9)
    with pytest.raises(RolloutError):
        watch.is_passed(130.0)


def test_a_canary_without_a_slot_is_not_judged(board):
    slots = [board.take_slot() for _ in range(4)]
    watch = CanaryWatch(board, slots[3], BOUNDS, now_s=100.0)
    speak(slots[3], 20, 9.0, "failed")

    assert watch.is_passed(110.0)


def test_no_time_means_no_wait(board):
    assert CanaryWatch(board, board.take_slot(), RolloutSettings(canary_s=0.0), now_s=100.0).is_passed(100.0)
