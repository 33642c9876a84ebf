"""app.tuning.loadgen, over real sockets: when requests are sent, and what becomes of each."""

import json
import threading

import pytest

from app.tuning.loadgen import (
    ANSWERED,
    CUT,
    ERROR,
    LATE,
    REFUSED,
    UNREACHABLE,
    Arrival,
    Request,
    closed_loop,
    open_loop,
    send,
)
from tests.support.synthetic_server import synthetic_server

#: What one character takes; a text of ten takes 50 ms.
CHARACTER_S = 0.005


def asking_for(text):
    return Request("/v1/audio/speech", json.dumps({"input": text}).encode(), characters=len(text))


TEN = asking_for("0123456789")


@pytest.fixture(scope="module")
def address():
    with synthetic_server(1, CHARACTER_S) as port:
        yield "127.0.0.1", port


@pytest.mark.parametrize(
    ("text", "expected", "status"),
    [
        ("spoken", ANSWERED, 200),
        ("refused", REFUSED, 503),
        ("broken", ERROR, 500),
        ("cut", CUT, 200),
        ("short", CUT, 200),
        ("silent", CUT, 200),
    ],
)
def test_every_answer_has_its_outcome(address, text, expected, status):
    result = send(address, asking_for(text))

    assert (expected, status) == (result.outcome, result.status)


def test_audio_begins_before_it_ends(address):
    result = send(address, TEN)

    assert result.sent_s <= result.ttfa_s < result.total_s
    assert result.total_s - result.ttfa_s >= 0.9 * 10 * CHARACTER_S
    assert 64 + 100 == result.body_bytes


def test_the_length_of_a_wav_answer_is_that_of_its_samples(address):
    result = send(address, asking_for("wav"), keep_body=True)

    assert 0.5 == result.audio_s
    assert 44 + 22_050 == len(result.body) == result.body_bytes
    assert b"" == send(address, asking_for("wav")).body
    assert 0.0 == send(address, TEN).audio_s


def test_without_a_listener_it_is_unreachable():
    with synthetic_server(1, CHARACTER_S) as port:
        pass

    assert UNREACHABLE == send(("127.0.0.1", port), asking_for("Hello.")).outcome


def test_latency_counts_from_when_a_request_was_due():
    with synthetic_server(1, CHARACTER_S) as port:
        results = open_loop(("127.0.0.1", port), [Arrival(0.0, TEN)] * 4, drain_s=30)

    # One server, four at once: the last waits for three others, 50 ms each.
    latencies_s = sorted(each.latency_s("total") for each in results)
    assert [ANSWERED] * 4 == [each.outcome for each in results]
    assert all(latency_s >= 0.95 * 10 * CHARACTER_S * (turn + 1) for turn, latency_s in enumerate(latencies_s))


def test_an_open_loop_does_not_wait_for_answers():
    with synthetic_server(1, 1000.0) as port:
        results = open_loop(("127.0.0.1", port), [Arrival(each * 0.01, TEN) for each in range(20)], drain_s=0.2)

    # The first has its turn and never ends; the others never have theirs.
    assert [LATE] * 20 == [each.outcome for each in results]
    assert 1 == sum(each.ttfa_s is not None for each in results)
    assert results[0].latency_s("first_audio") < float("inf")
    assert [each * 0.01 for each in range(20)] == [each.due_s for each in results]


def test_a_closed_loop_keeps_as_many_under_way_as_there_are_clients():
    with synthetic_server(2, CHARACTER_S) as port:
        results = closed_loop(("127.0.0.1", port), iter(lambda: TEN, None), clients=3, for_s=0.4, drain_s=30)

    assert {ANSWERED} == {each.outcome for each in results}
    moments = sorted([(each.sent_s, 1) for each in results] + [(each.ended_s, -1) for each in results], key=lambda m: m)
    under_way = 0
    for _, change in moments:
        under_way += change
        assert under_way <= 3


def test_a_closed_loop_ends_without_a_listener():
    with synthetic_server(1, CHARACTER_S) as port:
        pass

    results = closed_loop(("127.0.0.1", port), iter(lambda: TEN, None), clients=2, for_s=3600, drain_s=0)
    assert [UNREACHABLE] * 2 == [each.outcome for each in results]


def test_an_interrupted_window_leaves_nothing_running():
    with synthetic_server(1, 1000.0) as port:
        before = threading.active_count()

        def broken():
            yield Arrival(0.0, TEN)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            open_loop(("127.0.0.1", port), broken(), drain_s=30)

    assert before == threading.active_count()


def test_a_request_is_late_after_its_own_timeout():
    with synthetic_server(1, CHARACTER_S) as port:
        results = open_loop(("127.0.0.1", port), [Arrival(0.0, asking_for("x" * 100_000)), Arrival(0.2, TEN)], 600, timeout_s=0.1)

    # Both, though there is one server and the first would have kept it for eight minutes.
    assert [LATE, LATE] == [each.outcome for each in results]


def test_a_refusal_is_kept_with_when_to_come_back(address):
    assert "1" == send(address, asking_for("refused")).headers["Retry-After"]


def test_a_closed_loop_ends_with_its_requests():
    with synthetic_server(2, CHARACTER_S) as port:
        results = closed_loop(("127.0.0.1", port), iter([TEN] * 5), clients=2)

    assert [ANSWERED] * 5 == [each.outcome for each in results]
    assert all(result.due_s <= result.sent_s for result in results)


def test_a_client_that_is_refused_waits_before_it_asks_again():
    with synthetic_server(1, CHARACTER_S) as port:
        requests = iter([asking_for("refused"), *[TEN] * 3])
        results = closed_loop(("127.0.0.1", port), requests, clients=2, for_s=0.3, pause_s=3600.0, drain_s=30)

    # The other client has the rest to itself.
    assert [REFUSED, ANSWERED, ANSWERED, ANSWERED] == sorted((each.outcome for each in results), reverse=True)
