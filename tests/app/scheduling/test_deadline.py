"""app.scheduling.deadline: client disconnects, client deadlines, and wrong proxy clocks."""

import math
import socket

import pytest

from app.errors import BadRequestError, ClientDisconnectedError, DeadlineError
from app.scheduling.deadline import MAX_PROXY_WAIT_S, PROXY_WAIT_KEY, Client, ProxyClock, client_of


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_client_that_keeps_its_connection_open_has_not_disconnected(pair):
    ours, theirs = pair
    has_disconnected = client_of({"gunicorn.socket": ours}).has_disconnected
    assert not has_disconnected()

    theirs.send(b"another request, sent early")

    assert not has_disconnected()


@pytest.mark.parametrize("sent", [b"", b"the rest of something"])
def test_a_client_that_closed_has_disconnected(pair, sent):
    ours, theirs = pair
    has_disconnected = client_of({"gunicorn.socket": ours}).has_disconnected
    theirs.send(sent)

    theirs.close()

    assert has_disconnected()


def test_a_request_without_a_socket_never_counts_as_disconnected():
    assert not client_of({}).has_disconnected()


def client_with(waited_s=0.0, **headers):
    return client_of({PROXY_WAIT_KEY: waited_s, **{f"HTTP_{name}": value for name, value in headers.items()}}, now=lambda: 50.0)


def test_the_age_of_a_request_includes_its_wait_in_the_proxy():
    assert 50.0 == client_of({}, now=lambda: 50.0).arrived_s
    assert 48.5 == client_with(1.5).arrived_s


def test_a_client_can_set_a_deadline():
    assert math.inf == client_with().deadline_s
    assert 52.5 == client_with(X_REQUEST_TIMEOUT="2.5").deadline_s
    assert 51.0 == client_with(1.5, X_REQUEST_TIMEOUT="2.5").deadline_s


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "soon", "86401", "1e999"])
def test_an_invalid_timeout_is_refused_with_its_bounds(text):
    with pytest.raises(BadRequestError, match="more than 0 and at most 86400"):
        client_with(X_REQUEST_TIMEOUT=text)


def test_work_stops_if_the_client_disconnected_or_its_deadline_has_passed():
    Client(lambda: False, 0.0, deadline_s=9.0).require_waiting(now=lambda: 9.0)
    with pytest.raises(ClientDisconnectedError):
        Client(lambda: True, 0.0).require_waiting()
    with pytest.raises(DeadlineError):
        Client(lambda: False, 0.0, deadline_s=9.0).require_waiting(now=lambda: 9.1)


WALL_S = 1_700_000_000.0


@pytest.fixture
def clock():
    """A proxy clock, the time it reads, and a list with one entry for each time it was distrusted."""
    now, distrusted = [1000.0], []
    return ProxyClock(lambda: distrusted.append(1), lambda: now[0]), now, distrusted


def waits_s(proxy, *seem_s):
    """Return the waits that the clock computes for requests whose timestamps are this many seconds old."""
    return [round(proxy.wait_s(f"t={WALL_S - each:.3f}", WALL_S), 3) for each in seem_s]


def test_the_wait_is_computed_from_the_timestamp_of_the_proxy(clock):
    proxy, _, distrusted = clock

    assert [1.5, 0.0, 10.0] == waits_s(proxy, 1.5, 0.0, MAX_PROXY_WAIT_S)
    assert not distrusted


def test_the_wait_is_measured_once(clock):
    proxy, _, _ = clock
    environ = {"HTTP_X_REQUEST_START": "t=1000000000.000"}

    assert 0.0 == proxy.measure(environ) == proxy.measure(environ) == environ[PROXY_WAIT_KEY]
    assert 1 == len(clock[2])


@pytest.mark.parametrize("text", ["", "t=", "t=yesterday", "1700000000.000", "t=1700000000.5;", "t=-1.000", "t=1700000000.0000"])
def test_a_malformed_timestamp_is_ignored(clock, text):
    proxy, _, distrusted = clock

    assert 0.0 == proxy.wait_s(text, WALL_S)
    assert not distrusted


@pytest.mark.parametrize("off_s", [10.5, 31.0, 3600.0, 7e8, -1.5, -31.0])
def test_a_clock_that_is_far_off_is_ignored_counted_and_logged_once_a_minute(clock, caplog, off_s):
    proxy, now, distrusted = clock

    assert [0.0] * 3 == waits_s(proxy, off_s, off_s, off_s)
    assert 3 == len(distrusted)
    now[0] += 59.0
    waits_s(proxy, off_s)
    assert ["proxy.clock_distrusted"] == [record.msg["event"] for record in caplog.records]
    now[0] += 1.0
    waits_s(proxy, off_s)
    assert [round(off_s, 3)] * 2 == [record.msg["behind_s"] for record in caplog.records]


@pytest.mark.parametrize("off_s", [8.0, 0.4, -0.6])
def test_a_smaller_clock_offset_is_corrected_after_ten_requests(clock, off_s):
    proxy, _, distrusted = clock
    waits_s(proxy, *[off_s + 0.002] * 9)

    assert [0.0, 1.5, 0.1] == waits_s(proxy, off_s + 0.002, off_s + 1.502, off_s + 0.102)
    assert not distrusted


def test_a_correct_clock_is_trusted_while_most_requests_wait(clock):
    proxy, _, _ = clock
    waits_s(proxy, 0.001, *[4.0] * 20)

    assert [5.0] == waits_s(proxy, 5.001)


def test_a_clock_change_is_detected_after_two_minutes(clock):
    proxy, now, _ = clock
    waits_s(proxy, *[0.001] * 10)
    assert [6.0] == waits_s(proxy, 6.001)
    now[0] += 120.0

    assert [6.001] * 9 + [0.0] == waits_s(proxy, *[6.001] * 10)


def test_the_offset_includes_requests_of_the_previous_minute(clock):
    proxy, now, _ = clock
    waits_s(proxy, *[8.0] * 10)
    now[0] += 60.0

    assert [0.5] == waits_s(proxy, 8.5)
