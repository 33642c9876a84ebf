"""app.tuning.queueing: the formulas, where their answers are known."""

import math

import pytest

from app.tuning.queueing import fit_scaling, fit_service, mean_wait_s, squared_variation, waiting_probability


def test_at_one_server_waits_who_finds_it_busy():
    assert 0.7 == pytest.approx(waiting_probability(1, 0.7))


def test_erlang_c_is_what_tables_say():
    # Two erlangs at three servers.
    assert 0.4444 == pytest.approx(waiting_probability(3, 2 / 3), abs=1e-4)
    assert 1.0 == waiting_probability(3, 1.2)


def test_it_is_exact_for_exponential_and_for_constant_service():
    load, service_s = 0.8, 0.5
    exponential_s = mean_wait_s(1, load / service_s, service_s, 1.0)

    assert load * service_s / (1 - load) == pytest.approx(exponential_s)
    assert exponential_s / 2 == pytest.approx(mean_wait_s(1, load / service_s, service_s, 0.0))


def test_more_than_can_be_served_waits_for_ever():
    assert math.inf == mean_wait_s(2, 5.0, 0.5, 1.0)


def test_service_times_are_a_line():
    line = fit_service([10, 20, 40], [0.3, 0.5, 0.9])

    assert (0.1, 0.02) == (pytest.approx(line.fixed_s), pytest.approx(line.per_character_s))
    assert 0.5 == pytest.approx(line.of(20))
    assert 95 == line.characters_in(2.0)


@pytest.mark.parametrize(
    ("characters", "service_s"), [([10, 10], [0.2, 0.4]), ([10, 20], [0.4, 0.2]), ([10, 20, 30], [0.01, 0.4, 0.7]), ([5], [1.0])]
)
def test_neither_part_of_the_line_is_negative(characters, service_s):
    line = fit_service(characters, service_s)

    assert line.fixed_s >= 0
    assert line.per_character_s >= 0
    assert line.characters_in(0.0) >= 0


def test_variation_of_equal_values_is_none():
    assert 0.0 == squared_variation([2.0, 2.0])
    assert 1.0 == pytest.approx(squared_variation([0.0, 2.0]))


@pytest.mark.parametrize(("contention", "coherence"), [(0.0, 0.0), (0.2, 0.0), (0.05, 0.01), (1.0, 0.0)])
def test_the_scalability_law_is_found_again(contention, coherence):
    clients = [1, 2, 4, 8]
    throughput_hz = [3 * n / (1 + contention * (n - 1) + coherence * n * (n - 1)) for n in clients]

    scaling = fit_scaling(clients, throughput_hz)
    assert (contention, coherence) == (pytest.approx(scaling.contention, abs=1e-9), pytest.approx(scaling.coherence, abs=1e-9))


def test_too_few_points_are_no_law():
    assert fit_scaling([1, 2], [1.0, 2.0]) is None
    assert fit_scaling([2, 4, 8], [1.0, 2.0, 3.0]) is None
    assert fit_scaling([1, 2, 4], [1.0, 0.0, 2.0]) is None
