"""app.tuning.search: the next rate to try."""

import pytest

from app.tuning.journal import SEARCH, Window
from app.tuning.objectives import Objective
from app.tuning.outcome import ANSWERED, Outcome
from app.tuning.search import next_rate_hz
from app.tuning.setting import Setting

OBJECTIVES = (Objective("total", 95.0, 1.0),)


def tried(rate_hz, took_s):
    outcome = Outcome(10, 0.0, 0.0, ANSWERED, 200, took_s, took_s, 100)
    return Window(SEARCH, Setting(1, 2), 0.0, 10.0, rate_hz, None, (outcome,) * 20)


@pytest.mark.parametrize(
    "windows, expected",
    [
        ([], 5.0),
        ([tried(5.0, 0.5)], 7.5),
        ([tried(5.0, 2.0)], 2.5),
        ([tried(5.0, 0.5), tried(7.5, 2.0)], 6.25),
        ([tried(9.5, 0.5)], None),
    ],
)
def test_the_range_is_halved_until_it_is_narrow(windows, expected):
    assert expected == next_rate_hz(windows, 10.0, OBJECTIVES)


def test_of_a_setting_that_did_nothing_there_is_no_rate_to_try():
    assert next_rate_hz([tried(2.0, 5.0)], 0.0, OBJECTIVES) is None
