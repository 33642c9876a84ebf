"""app.watchdog.trend: growth per request, as opposed to noise, steps and random walks."""

import numpy as np
import pytest

from app.watchdog.trend import SustainedGrowth, is_steady, trend

REQUESTS = np.arange(100.0, 350.0, 5.0)


def noise(scale):
    return np.random.default_rng(1).normal(0.0, scale, len(REQUESTS))


def test_the_slope_of_a_line_is_exact():
    found = trend(REQUESTS, 7.0 + 3.0 * REQUESTS)

    assert (3.0, 3.0, 3.0) == pytest.approx((found.slope, found.low, found.high))
    assert ((100, 345), (307.0, 1042.0)) == (found.requests, found.values)


def test_the_true_slope_lies_within_the_bounds():
    found = trend(REQUESTS, 3.0 * REQUESTS + noise(50.0))

    assert 2.0 < found.low < 3.0 < found.high < 4.0


def test_outliers_change_the_slope_little():
    values = 3.0 * REQUESTS + noise(5.0)
    values[[5, 20, 21, 40]] += 1e9

    assert 2.8 < trend(REQUESTS, values).slope < 3.3


def test_noise_has_no_growth():
    found = trend(REQUESTS, noise(50.0))

    assert found.low < 0 < found.high
    assert not is_steady(REQUESTS, noise(50.0), 1.0)


def test_a_random_walk_has_wide_bounds():
    wandering = np.cumsum(noise(50.0))
    straight = 2.0 * REQUESTS + noise(50.0)

    width = {name: (found := trend(REQUESTS, values)).high - found.low for name, values in
             (("wandering", wandering), ("straight", straight))}  # fmt: skip
    assert width["wandering"] > 3 * width["straight"]


@pytest.mark.parametrize("steps", [1, 2])
def test_steps_are_not_steady(steps):
    values = np.floor(np.linspace(0.0, steps + 0.999, len(REQUESTS))) * 1e6

    assert not is_steady(REQUESTS, values, 1.0)


def test_a_line_is_steady():
    assert is_steady(REQUESTS, 1.2 * REQUESTS + noise(5.0), 1.0)


def test_growth_is_clear_if_it_is_far_above_the_noise():
    assert trend(REQUESTS, 3.0 * REQUESTS + noise(20.0)).is_clear
    assert not trend(REQUESTS, 3.0 * REQUESTS + noise(100.0)).is_clear


def alerts_at(values, growth=0.1):
    rule = SustainedGrowth(growth)
    return [number for number, value in enumerate(values) if rule.add(1000 * number, value)]


def test_sustained_growth_above_the_fraction_is_an_alert():
    assert [3] == alerts_at([100, 104, 108, 112])


def test_after_an_alert_the_rule_starts_again():
    assert [3, 7] == alerts_at([100, 104, 108, 112, 116, 121, 126, 131])


@pytest.mark.parametrize(
    "values",
    [[100, 150, 150, 150, 150], [100, 104, 108, 109.9], [100, 120, 110, 130, 115, 140], [100, 99, 101, 100.5, 102, 130]],
    ids=["a step", "too little", "up and down", "a step after noise"],
)
def test_other_growth_is_not_sustained(values):
    assert [] == alerts_at(values)
