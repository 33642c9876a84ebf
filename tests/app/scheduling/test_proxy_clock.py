"""app.scheduling.proxy_clock: what a proxy says of the past is believed as far as its clock can be."""

import pytest

from app.scheduling.proxy_clock import MAX_WAIT_S, ProxyClock

WALL_S = 1_700_000_000.0


@pytest.fixture
def clock():
    """A proxy's clock, the time it is told, and how often it was not believed."""
    now, distrusted = [1000.0], []
    return ProxyClock(lambda: distrusted.append(1), lambda: now[0]), now, distrusted


def seen(proxy, *seem_s):
    """Return how long requests are taken to have waited that seem to have waited so long."""
    return [round(proxy.waited_s(f"t={WALL_S - each:.3f}", WALL_S), 3) for each in seem_s]


def test_a_request_is_as_old_as_its_proxy_says(clock):
    proxy, _, distrusted = clock

    assert [1.5, 0.0, 10.0] == seen(proxy, 1.5, 0.0, MAX_WAIT_S)
    assert not distrusted


@pytest.mark.parametrize("said", ["", "t=", "t=yesterday", "1700000000.000", "t=1700000000.5;", "t=-1.000", "t=1700000000.0000"])
def test_what_is_no_time_says_nothing(clock, said):
    proxy, _, distrusted = clock

    assert 0.0 == proxy.waited_s(said, WALL_S)
    assert not distrusted


@pytest.mark.parametrize("off_s", [10.5, 31.0, 3600.0, 7e8, -1.5, -31.0])
def test_a_clock_that_is_far_off_makes_no_request_old_and_is_counted(clock, caplog, off_s):
    proxy, now, distrusted = clock

    assert [0.0] * 3 == seen(proxy, off_s, off_s, off_s)
    assert 3 == len(distrusted)
    now[0] += 59.0
    seen(proxy, off_s)
    assert ["proxy.clock_distrusted"] == [record.msg["event"] for record in caplog.records]
    now[0] += 1.0
    seen(proxy, off_s)
    assert [round(off_s, 3)] * 2 == [record.msg["behind_s"] for record in caplog.records]


@pytest.mark.parametrize("off_s", [8.0, 0.4, -0.6])
def test_a_clock_that_is_off_by_less_is_corrected_once_enough_requests_say_so(clock, off_s):
    proxy, _, distrusted = clock
    seen(proxy, *[off_s + 0.002] * 9)

    assert [0.0, 1.5, 0.1] == seen(proxy, off_s + 0.002, off_s + 1.502, off_s + 0.102)
    assert not distrusted


def test_a_right_clock_is_believed_while_most_requests_wait(clock):
    proxy, _, _ = clock
    seen(proxy, 0.001, *[4.0] * 20)

    assert [5.0] == seen(proxy, 5.001)


def test_a_clock_that_was_set_right_or_wrong_is_known_after_two_minutes(clock):
    proxy, now, _ = clock
    seen(proxy, *[0.001] * 10)
    assert [6.0] == seen(proxy, 6.001)
    now[0] += 120.0

    assert [6.001] * 9 + [0.0] == seen(proxy, *[6.001] * 10)


def test_requests_of_the_minute_before_count(clock):
    proxy, now, _ = clock
    seen(proxy, *[8.0] * 10)
    now[0] += 60.0

    assert [0.5] == seen(proxy, 8.5)
