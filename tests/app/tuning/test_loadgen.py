"""app.tuning.load and .client, over real sockets: when requests are sent, and what becomes of each."""

import threading

import pytest

from app.tuning.client import Call
from app.tuning.load import Arrival, closed_loop, open_loop
from app.tuning.mix import Line
from app.tuning.outcome import ANSWERED, CUT, ERROR, LATE, REFUSED, UNREACHABLE
from tests.app.tuning.synthetic import synthetic_server

#: What one character takes; a text of ten takes 50 ms.
CHARACTER_S = 0.005
TEN = Line({"input": "0123456789"})


@pytest.fixture(scope="module")
def port():
    with synthetic_server(1, CHARACTER_S) as port:
        yield port


def called(port, text):
    return Call(port, Line({"input": text}), 0.0).made()


@pytest.mark.parametrize(
    ("text", "fate", "status"),
    [
        ("spoken", ANSWERED, 200),
        ("refused", REFUSED, 503),
        ("broken", ERROR, 500),
        ("cut", CUT, 200),
        ("short", CUT, 200),
        ("silent", CUT, 200),
    ],
)
def test_every_answer_has_its_fate(port, text, fate, status):
    outcome = called(port, text)

    assert (fate, status) == (outcome.fate, outcome.status)


def test_audio_begins_before_it_ends(port):
    outcome = called(port, TEN.body["input"])

    assert outcome.sent_s <= outcome.first_audio_s < outcome.ended_s
    assert outcome.ended_s - outcome.first_audio_s >= 0.9 * 10 * CHARACTER_S
    assert 64 + 100 == outcome.received_bytes


def test_where_nobody_listens_it_is_unreachable():
    with synthetic_server(1, CHARACTER_S) as port:
        pass

    assert UNREACHABLE == called(port, "Hello.").fate


def test_whoever_is_left_is_late():
    # A server of its own: the one there is may be busy with that text for eight minutes.
    with synthetic_server(1, CHARACTER_S) as port:
        call = Call(port, Line({"input": "x" * 100_000}), 0.0)
        outcomes = []
        caller = threading.Thread(target=lambda: outcomes.append(call.made()))
        caller.start()
        while caller.is_alive():
            call.leave()
            caller.join(0.01)

    assert [LATE] == [each.fate for each in outcomes]
    assert float("inf") == outcomes[0].latency_s("total")


def test_latency_counts_from_when_a_request_was_meant_to_be_sent():
    with synthetic_server(1, CHARACTER_S) as port:
        outcomes = open_loop(port, [Arrival(0.0, TEN)] * 4, patience_s=30)

    # One server, four at once: the last waits for three others, 50 ms each.
    latencies_s = sorted(each.latency_s("total") for each in outcomes)
    assert [ANSWERED] * 4 == [each.fate for each in outcomes]
    assert all(latency_s >= 0.95 * 10 * CHARACTER_S * (turn + 1) for turn, latency_s in enumerate(latencies_s))


def test_an_open_loop_does_not_wait_for_answers():
    with synthetic_server(1, 1000.0) as port:
        outcomes = open_loop(port, [Arrival(each * 0.01, TEN) for each in range(20)], patience_s=0.2)

    # The first has its turn and never ends; the others never have theirs.
    assert [LATE] * 20 == [each.fate for each in outcomes]
    assert 1 == sum(each.first_audio_s is not None for each in outcomes)
    assert outcomes[0].latency_s("first_audio") < float("inf")
    assert [each * 0.01 for each in range(20)] == [each.intended_s for each in outcomes]


def test_a_closed_loop_keeps_as_many_under_way_as_there_are_clients():
    with synthetic_server(2, CHARACTER_S) as port:
        outcomes = closed_loop(port, iter(lambda: TEN, None), clients=3, for_s=0.4, patience_s=30)

    assert {ANSWERED} == {each.fate for each in outcomes}
    moments = sorted([(each.sent_s, 1) for each in outcomes] + [(each.ended_s, -1) for each in outcomes], key=lambda m: m)
    under_way = 0
    for _, change in moments:
        under_way += change
        assert under_way <= 3


def test_a_closed_loop_ends_where_nobody_listens():
    with synthetic_server(1, CHARACTER_S) as port:
        pass

    outcomes = closed_loop(port, iter(lambda: TEN, None), clients=2, for_s=3600, patience_s=0)
    assert [UNREACHABLE] * 2 == [each.fate for each in outcomes]


def test_an_interrupted_window_leaves_nothing_running():
    with synthetic_server(1, 1000.0) as port:
        before = threading.active_count()

        def broken():
            yield Arrival(0.0, TEN)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            open_loop(port, broken(), patience_s=30)

    assert before == threading.active_count()


def test_whoever_has_a_patience_of_its_own_leaves_when_that_is_over():
    with synthetic_server(1, CHARACTER_S) as port:
        outcomes = open_loop(port, [Arrival(0.0, Line({"input": "x" * 100_000})), Arrival(0.2, TEN)], 600, each_s=0.1)

    # Both, though there is one server and the first would have kept it for eight minutes.
    assert [LATE, LATE] == [each.fate for each in outcomes]


def test_a_refusal_is_kept_with_when_to_come_back(port):
    assert "1" == called(port, "refused").retry_after
    assert called(port, "spoken").retry_after is None
