"""app.tuning.outcome and .findings: the arithmetic of many requests."""

import math
import random

import pytest

from app.tuning.findings import meets, score, service_of, throughput_hz
from app.tuning.journal import SERVICE, SWEEP, Journal, Window
from app.tuning.mix import Line, Mix
from app.tuning.objectives import Objective
from app.tuning.outcome import ANSWERED, CUT, LATE, Outcome, fates, interval_s, lost_share, percentile_s
from app.tuning.setting import Setting

TOTAL = Objective("total", 95.0, 1.0)
FIRST = Objective("first_audio", 95.0, 1.0)


def took(total_s, at_s=0.0, fate=ANSWERED, characters=10):
    return Outcome(characters, at_s, at_s, fate, 200, at_s + total_s / 2, at_s + total_s, 1000)


def late(first_audio_s=None):
    return Outcome(10, 0.0, 0.0, LATE, 200, first_audio_s)


def test_a_percentile_is_one_of_the_values():
    outcomes = [took(float(each)) for each in range(1, 101)]

    assert 95.0 == percentile_s(outcomes, "total", 95.0)
    assert 47.5 == percentile_s(outcomes, "first_audio", 95.0)
    assert math.inf == percentile_s([], "total", 95.0)


def test_a_request_without_an_answer_took_for_ever():
    outcomes = [*[took(0.1)] * 94, *[late()] * 6]

    assert math.inf == percentile_s(outcomes, "total", 95.0)
    assert 0.1 == percentile_s(outcomes, "total", 94.0)
    assert not meets(outcomes, [TOTAL])


def test_first_audio_counts_although_the_rest_was_late():
    assert 0.4 == late(0.4).latency_s("first_audio")
    assert math.inf == late(0.4).latency_s("total")
    assert math.inf == took(0.4, fate=CUT).latency_s("first_audio")


def test_one_lost_answer_in_a_hundred_meets_nothing():
    outcomes = [*[took(0.1)] * 99, took(0.1, fate=CUT)]

    assert {ANSWERED: 99, CUT: 1} == fates(outcomes)
    assert 0.01 == lost_share(outcomes)
    assert math.inf == score(outcomes, [TOTAL])
    assert meets([*[took(0.1)] * 1999, took(0.1, fate=CUT)], [TOTAL])
    assert not meets([], [TOTAL])


def test_the_tightest_objective_decides():
    assert 1.6 == pytest.approx(score([took(1.6)], [TOTAL, FIRST]))
    assert meets([took(1.0)], [TOTAL, FIRST])


def test_an_interval_holds_the_true_percentile_as_often_as_it_says():
    draw, hits = random.Random(1), 0
    for _ in range(400):
        low_s, high_s = interval_s([took(draw.expovariate(1.0)) for _ in range(100)], "total", 90.0)
        hits += low_s <= -math.log(0.1) <= high_s

    assert 370 <= hits


def test_a_few_requests_say_nothing_of_a_high_percentile():
    assert math.inf == interval_s([took(1.0)] * 5, "total", 95.0)[1]


def test_throughput_counts_work_and_not_luck():
    mix = Mix("two", (Line({"input": "x" * 10}), Line({"input": "x" * 30})))
    journal = Journal()
    lengths = [took(each * 0.01, characters=each) for each in (10, 30, 10, 30)]
    journal.add(Window(SERVICE, Setting(1, 2), 0.0, 1.0, None, 1, tuple(lengths)))
    service = service_of(journal, mix, [TOTAL])
    long_ones = [took(0.3, 0.0, characters=30), took(0.3, 0.3, characters=30), took(0.3, 0.6, characters=30)]
    half_outside = took(0.2, 0.9, characters=20)
    window = Window(SWEEP, Setting(1, 2), 0.0, 1.0, None, 1, (*long_ones, half_outside))

    assert 0.2 == pytest.approx(service.mean_s)
    assert 0.01 == pytest.approx(service.line.per_character_s)
    # One server that is never idle serves five average requests a second, whatever it happened to be asked.
    assert 5.0 == pytest.approx(throughput_hz(window, service))


def test_without_an_answer_there_is_no_service_time():
    journal = Journal()
    journal.add(Window(SERVICE, Setting(1, 2), 0.0, 1.0, None, 1, (late(),)))

    assert service_of(journal, Mix("one", (Line({"input": "x"}),)), [TOTAL]) is None
