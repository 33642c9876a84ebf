"""What is made of an overload: what counts as answered in time, when it is over, how many may wait."""

import math

import pytest

from app.tuning.findings import Service
from app.tuning.outcome import ANSWERED, LATE, REFUSED, Outcome
from app.tuning.queueing import ServiceLine
from app.tuning.setting import Setting
from ops.benchmarks.loads import Capacity, percentile_ms
from ops.benchmarks.overload import Round, queue_for, ranked, recovery_s, refusal_ms

#: Every request takes a second of work.
SERVICE = Service(ServiceLine(1.0, 0.0), 1.0, 0.0, {}, 1)


def answered(intended_s, took_s):
    return Outcome(10, intended_s, intended_s, ANSWERED, 200, intended_s + took_s / 2, intended_s + took_s)


def refused(intended_s, sent_s, ended_s, retry_after="1"):
    return Outcome(10, intended_s, sent_s, REFUSED, 503, None, ended_s, 100, retry_after)


def round_of(during, before=(), after=()):
    return Round(Capacity(SERVICE, 2.0), 4, 2.0, 10.0, tuple(before), tuple(during), tuple(after), 0.1)


def test_goodput_counts_what_was_answered_in_time_and_nothing_else():
    late, left = answered(3.0, 2.1), Outcome(10, 4.0, 4.0, LATE, 200, 4.5)
    found = round_of([answered(1.0, 0.5), answered(2.0, 2.0), late, left, refused(5.0, 5.0, 5.01)])

    # Two in ten seconds, of two a second that it could have answered.
    assert 0.1 == pytest.approx(found.goodput)
    assert 4 == len(found.accepted)


def test_who_was_let_in_and_never_answered_counts_against_the_accepted():
    found = round_of([answered(1.0, 0.5), Outcome(10, 4.0, 4.0, LATE, 200, 4.5)])

    assert 10_000 == percentile_ms(found.accepted, "total", 95)


def test_a_refusal_is_timed_from_when_it_was_sent_and_from_when_it_should_have_been():
    late_client = refused(5.0, 5.5, 5.51)

    assert (10, 510) == (pytest.approx(refusal_ms(late_client, late_client.sent_s)), pytest.approx(refusal_ms(late_client, 5.0)))


def test_a_refusal_that_never_ended_took_for_ever():
    assert math.inf == refusal_ms(refused(5.0, 5.0, None), 5.0)


BEFORE = [answered(1.0, 0.5), answered(2.0, 1.0)]


@pytest.mark.parametrize(
    ("after", "expected_s"),
    [
        ([answered(60.5, 0.5), answered(61.0, 1.19)], 0.0),
        ([answered(60.5, 2.0), answered(61.0, 0.5), answered(63.0, 0.5)], 1.0),
        ([answered(60.5, 0.5), refused(61.0, 61.0, 61.01), answered(63.0, 0.5)], 3.0),
        ([answered(60.5, 0.5), answered(61.0, 2.0)], math.inf),
    ],
    ids=["never worse", "one slow", "one refused", "to the end"],
)
def test_it_is_over_with_the_first_request_from_which_on_all_took_as_long_as_before(after, expected_s):
    assert expected_s == recovery_s(BEFORE, after, 60.0)


def test_a_fifth_slower_than_the_slowest_before_is_not_as_before():
    assert math.inf == recovery_s(BEFORE, [answered(61.0, 1.21)], 60.0)


@pytest.mark.parametrize(
    ("slo_s", "capacity_hz", "expected"), [(2.0, 8.0, 4), (2.0, 1.0, 0), (1000.0, 100.0, 1000)], ids=["room", "none", "most"]
)
def test_so_many_may_wait_as_the_objective_has_room_for(slo_s, capacity_hz, expected):
    assert expected == queue_for(slo_s, capacity_hz, Setting(2, 2))


def test_a_percentile_is_a_value_that_there_was():
    assert (3.0, 99.0, 0.0) == (ranked([3.0, 1.0, 9.0], 50), ranked(map(float, range(100, 0, -1)), 99), ranked([], 99))
