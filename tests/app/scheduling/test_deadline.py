"""app.scheduling.deadline: clients that disconnect or stop waiting, and proxies whose clocks are wrong."""

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


def test_a_client_that_waits_has_not_disconnected(pair):
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


def test_without_a_socket_no_client_disconnects():
    assert not client_of({}).has_disconnected()


def asked(waited_s=0.0, **headers):
    return client_of({PROXY_WAIT_KEY: waited_s, **{f"HTTP_{name}": value for name, value in headers.items()}}, now=lambda: 50.0)


def test_a_request_is_as_old_as_its_proxy_had_it():
    assert 50.0 == client_of({}, now=lambda: 50.0).arrived_s
    assert 48.5 == asked(1.5).arrived_s


def test_a_client_may_say_how_long_it_waits():
    assert math.inf == asked().deadline_s
    assert 52.5 == asked(X_REQUEST_TIMEOUT="2.5").deadline_s
    assert 51.0 == asked(1.5, X_REQUEST_TIMEOUT="2.5").deadline_s


@pytest.mark.parametrize("said", ["", "0", "-1", "nan", "inf", "soon", "86401", "1e999"])
def test_what_is_no_time_to_wait_is_refused_with_its_bounds(said):
    with pytest.raises(BadRequestError, match="more than 0 and at most 86400"):
        asked(X_REQUEST_TIMEOUT=said)


def test_work_stops_when_the_client_disconnected_or_its_deadline_is_over():
    Client(lambda: False, 0.0, deadline_s=9.0).require_waiting(now=lambda: 9.0)
    with pytest.raises(ClientDisconnectedError):
        Client(lambda: True, 0.0).require_waiting()
    with pytest.raises(DeadlineError):
        Client(lambda: False, 0.0, deadline_s=9.0).require_waiting(now=lambda: 9.1)


WALL_S = 1_700_000_000.0


@pytest.fixture
def clock():
    """A proxy's clock, the time it is told, and how often it was not believed."""
    now, distrusted = [1000.0], []
    return ProxyClock(lambda: distrusted.append(1), lambda: now[0]), now, distrusted


def seen(proxy, *seem_s):
    """Return how long requests are taken to have waited that seem to have waited so long."""
    return [round(proxy.wait_s(f"t={WALL_S - each:.3f}", WALL_S), 3) for each in seem_s]


def test_a_request_is_as_old_as_its_proxy_says(clock):
    proxy, _, distrusted = clock

    assert [1.5, 0.0, 10.0] == seen(proxy, 1.5, 0.0, MAX_PROXY_WAIT_S)
    assert not distrusted


def test_the_wait_is_measured_once(clock):
    proxy, _, _ = clock
    environ = {"HTTP_X_REQUEST_START": "t=1000000000.000"}

    assert 0.0 == proxy.measure(environ) == proxy.measure(environ) == environ[PROXY_WAIT_KEY]
    assert 1 == len(clock[2])


@pytest.mark.parametrize("said", ["", "t=", "t=yesterday", "1700000000.000", "t=1700000000.5;", "t=-1.000", "t=1700000000.0000"])
def test_what_is_no_time_says_nothing(clock, said):
    proxy, _, distrusted = clock

    assert 0.0 == proxy.wait_s(said, WALL_S)
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
