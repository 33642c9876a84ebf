"""app.watchdog.sustained: the article's rule."""

import pytest

from app.watchdog.sustained import Sustained


def alerts(values, growth=0.1):
    rule = Sustained(growth)
    return [number for number, value in enumerate(values) if rule.add(value)]


def test_growth_by_more_than_the_fraction_is_an_alert_once_it_is_sustained():
    assert [3] == alerts([100, 104, 108, 112])


def test_after_an_alert_everything_begins_anew():
    assert [3, 7] == alerts([100, 104, 108, 112, 116, 121, 126, 131])


@pytest.mark.parametrize(
    "values",
    [[100, 150, 150, 150, 150], [100, 104, 108, 109.9], [100, 120, 110, 130, 115, 140], [100, 99, 101, 100.5, 102, 130]],
    ids=["a step", "too little", "up and down", "a step after noise"],
)
def test_all_else_is_none(values):
    assert [] == alerts(values)
