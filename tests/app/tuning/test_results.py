"""app.tuning.results: the arithmetic of many requests, and what memory workers need."""

import math

import pytest

from app.tuning.candidate import ServerMemory
from app.tuning.loadgen import ANSWERED, CUT, LATE, Request, Result
from app.tuning.plan import Candidate, Objective
from app.tuning.results import (
    CAPACITY,
    RATE,
    SERVICE,
    LoadTest,
    Measurements,
    MemoryReading,
    ServiceTime,
    capacity_hz,
    memory_need_of,
    percentile_s,
    rate_range_hz,
    score,
    service_time_of,
    sustained_hz,
)
from app.tuning.workload import Text, Workload

TOTAL = Objective("total", 95.0, 1.0)
MIB = 2**20


def took(total_s, at_s=0.0, outcome=ANSWERED, characters=10):
    return Result(Request("/", characters=characters), at_s, at_s, outcome, 200, total_s / 2, total_s, body_bytes=1000)


def late(ttfa_s=None):
    return Result(Request("/", characters=10), 0.0, 0.0, LATE, 200, ttfa_s)


def served(*results):
    return Measurements([LoadTest(SERVICE, Candidate(1, 2), 0.0, 1.0, 0.0, 1, results)])


def test_a_percentile_is_one_of_the_values():
    results = [took(float(each)) for each in range(1, 101)]

    assert 95.0 == percentile_s(results, "total", 95.0)
    assert 47.5 == percentile_s(results, "first_audio", 95.0)
    assert math.inf == percentile_s([], "total", 95.0)


def test_a_request_without_an_answer_took_for_ever():
    results = [*[took(0.1)] * 94, *[late()] * 6]

    assert math.inf == percentile_s(results, "total", 95.0)
    assert 0.1 == percentile_s(results, "total", 94.0)
    assert math.inf == score(results, [TOTAL])


def test_first_audio_counts_although_the_rest_was_late():
    assert 0.4 == late(0.4).latency_s("first_audio")
    assert math.inf == late(0.4).latency_s("total")
    assert math.inf == took(0.4, outcome=CUT).latency_s("first_audio")


def test_one_lost_answer_in_a_hundred_meets_nothing():
    results = [*[took(0.1)] * 99, took(0.1, outcome=CUT)]

    assert math.inf == score(results, [TOTAL])
    assert 0.1 == score([*[took(0.1)] * 1999, took(0.1, outcome=CUT)], [TOTAL])
    assert math.inf == score([], [TOTAL])


def test_service_times_are_a_line_and_the_mean_is_of_the_whole_workload():
    workload = Workload("two", (Text({"input": "x" * 10}), Text({"input": "x" * 30}, weight=3.0)))
    service = service_time_of(served(*(took(0.1 + 0.02 * each, characters=each) for each in (10, 10, 30))), workload, [TOTAL])

    assert (0.1, 0.02) == (pytest.approx(service.fixed_s), pytest.approx(service.per_character_s))
    assert 0.6 == pytest.approx(service.mean_s)
    assert 0.5 == pytest.approx(service.time_s(20))
    assert 95 == service.characters_in(2.0)
    assert {"total_p95": pytest.approx(0.7)} == service.idle_s


@pytest.mark.parametrize(
    ("characters", "service_s"), [([10, 10], [0.2, 0.4]), ([10, 20], [0.4, 0.2]), ([10, 20, 30], [0.01, 0.4, 0.7]), ([5], [1.0])]
)
def test_neither_part_of_the_line_is_negative(characters, service_s):
    results = [took(total_s, characters=length) for total_s, length in zip(service_s, characters)]
    service = service_time_of(served(*results), Workload("one", (Text({"input": "x"}),)), [])

    assert service.fixed_s >= 0
    assert service.per_character_s >= 0
    assert service.characters_in(0.0) >= 0


def test_without_an_answer_there_is_no_service_time():
    assert service_time_of(served(late()), Workload("one", (Text({"input": "x"}),)), [TOTAL]) is None


def test_capacity_counts_work_and_not_luck():
    service = ServiceTime(0.0, 0.01, 0.2, {})
    long_ones = [took(0.3, at_s, characters=30) for at_s in (0.0, 0.3, 0.6)]
    half_outside = took(0.2, 0.9, characters=20)
    test = LoadTest(CAPACITY, Candidate(1, 2), 0.0, 1.0, 0.0, 4, (*long_ones, half_outside))

    # One server that is never idle serves five average requests a second, whatever their lengths.
    assert 5.0 == pytest.approx(capacity_hz(Measurements([test]), Candidate(1, 2), service))
    assert capacity_hz(Measurements([test]), Candidate(2, 2), service) is None


def tried(rate_hz, total_s):
    return LoadTest(RATE, Candidate(1, 2), 0.0, 1.0, rate_hz, 0, (took(total_s),) * 20)


def test_the_sustained_rate_is_below_every_rate_that_failed():
    tests = [tried(1.0, 0.5), tried(2.0, 0.9), tried(4.0, 1.1), tried(8.0, 0.5)]

    # The test at 8 requests a second was lucky.
    assert (2.0, 4.0) == rate_range_hz(tests, [TOTAL])
    assert (2.0, math.inf) == rate_range_hz(tests[:2], [TOTAL])
    assert (0.0, 4.0) == rate_range_hz(tests[2:], [TOTAL])
    assert 1.8 == pytest.approx(sustained_hz(Measurements(tests), Candidate(1, 2), [TOTAL]))
    assert sustained_hz(Measurements(tests), Candidate(2, 2), [TOTAL]) is None


def measured(*readings):
    return Measurements(
        memory=[
            MemoryReading(moment, Candidate(workers, 2), ServerMemory(total * MIB, tuple(each * MIB for each in own)), characters)
            for moment, workers, total, own, characters in readings
        ]
    )


PROBED = (("idle", 2, 108, (4, 4), 0), ("workload", 2, 140, (20, 20), 0), ("longest", 2, 160, (40, 20), 1000))


def test_shared_pages_are_there_once_and_a_worker_as_often_as_there_are_workers_and_one_more():
    need = memory_need_of(measured(*PROBED), max_characters=1000)

    assert (100 * MIB, 40 * MIB) == (need.shared_bytes, need.worker_bytes)
    assert (100 + 4 * 40) * MIB == need.of(3)


def test_a_longer_text_than_was_spoken_takes_as_much_more():
    # 20 MiB more for 1000 characters, so 60 more than after the workload for 3000.
    assert 80 * MIB == memory_need_of(measured(*PROBED), max_characters=3000).worker_bytes


def test_a_worker_alone_does_not_own_the_weights():
    assert 50 * MIB == memory_need_of(measured(*PROBED, ("load", 1, 150, (120,), 0)), max_characters=1000).worker_bytes


def test_load_may_need_more_than_the_longest_text():
    assert 70 * MIB == memory_need_of(measured(*PROBED, ("load", 2, 230, (70, 60), 0)), 1000).worker_bytes


def test_no_need_is_known_before_it_is_measured():
    assert memory_need_of(Measurements(), 1000) is None


@pytest.mark.parametrize(("budget_mib", "most"), [(100, 0), (182, 0), (190, 1), (400, 6)])
def test_as_many_workers_fit_as_the_budget_has_room_for_with_a_reserve(budget_mib, most):
    assert most == memory_need_of(measured(*PROBED), max_characters=1000).max_workers(budget_mib * MIB)


def test_load_tests_are_found_by_stage_and_candidate():
    one, other = Candidate(1, 2), Candidate(2, 2)
    tests = [LoadTest(stage, each, 0.0, 1.0, 0.0, 1, ()) for stage in (CAPACITY, RATE) for each in (one, other)]
    measurements = Measurements(tests)

    assert tests[:2] == measurements.of(CAPACITY)
    assert tests[3:] == measurements.of(RATE, other)
