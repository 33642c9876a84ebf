"""What benchmarks make of their measurements: which way a ratio goes, its target, and what counts."""

import json
import math
from pathlib import Path

import pytest

from app.tuning.loadgen import ANSWERED, LATE, REFUSED, Request, Result
from ops.benchmarks import availability, engines, faults, load, speed
from ops.benchmarks.load import Overload, latency_ms, overload_values, queue_for, recovery_s

ASKED = Request("/v1/audio/speech")


def answered(due_s, took_s, audio_s=1.0):
    return Result(ASKED, due_s, due_s, ANSWERED, 200, took_s / 2, took_s, audio_s)


def refused(due_s, sent_s, took_s, headers={"Retry-After": "1"}):  # noqa: B006  read only
    return Result(ASKED, due_s, sent_s, REFUSED, 503, None, took_s, headers=headers)


def late(due_s):
    return Result(ASKED, due_s, due_s, LATE, 200, 0.5)


def by_name(values):
    return {each.name: each for each in values}


OURS, UNSTREAMED = speed.Heard(0.1, 0.5, 9.0, 0.0), speed.Heard(0.6, 0.6, 9.0, 0.0)
COQUI, PIPER = speed.Heard(1.0, 1.0, 9.5, 0.0), speed.Heard(0.5, 0.8, 8.5, 0.0)
SIDES = {"ours": OURS, "ours unstreamed": UNSTREAMED, "coqui": COQUI, "piper": PIPER}


def test_latency_of_ours_is_put_over_theirs_and_has_targets_for_30_words():
    found = {name: (round(each.value, 6), each.target) for name, each in by_name(speed.embedded_values(30, SIDES)).items()}

    assert (0.1, "<= 0.15") == found["30 words, ours / coqui, first audio"]
    assert (0.2, "<= 0.3") == found["30 words, ours / piper, first audio"]
    assert (0.5, "<= 0.5") == found["30 words, ours / coqui, whole"]
    assert (0.625, "<= 0.75") == found["30 words, ours / piper, whole"]
    assert (600, "") == found["30 words, ours unstreamed, whole"]
    assert not any(each.target for each in speed.embedded_values(5, SIDES))


def test_first_audio_of_the_large_voice_is_put_over_its_own_whole():
    *_, ratio = speed.large_values(SIDES)
    assert (0.2, "<= 0.2") == (ratio.value, ratio.target)


def test_parallel_windows_are_put_over_sequential_ones():
    *_, ratio = speed.load_values({True: speed.Rate(24.0, 12.0), False: speed.Rate(25.0, 12.5)})
    assert (0.96, ">= 0.97") == (ratio.value, ratio.target)


def test_native_is_put_over_each_engine_sentence_by_sentence():
    own = [engines.Sentence(took_s, 2.0, 0.1, 1.0) for took_s in (1.0, 2.0, 3.0)]
    native = [engines.Sentence(took_s, 4.0, took_s, 1.0) for took_s in (2.0, 2.0, 9.0)]
    found = by_name(engines.speed_values("large", {"pytorch": own, "native": native}))

    ratio = found["large, native / pytorch, real-time factor"]
    assert (2.0, ">= 1.1") == (ratio.value, ratio.target)
    assert 2.0 == found["large, native / pytorch, core time"].value


def test_a_first_request_is_compared_with_the_old_workers_of_the_same_kill():
    """Of medians by themselves 200 / 100 would be left."""
    kills = [availability.Kill(9.0, ready_ms, (first_ms, 2 * first_ms), (old_ms, old_ms))
             for ready_ms, first_ms, old_ms in ((10.0, 100.0, 100.0), (11.0, 200.0, 200.0), (90.0, 300.0, 50.0))]  # fmt: skip
    found = by_name(availability.kill_values(kills))

    assert 1.0 == found["first of a new / an old worker's"].value
    assert 2.0 == found["the same by core time"].value
    assert (11.0, 90.0) == (found["kill to ready"].value, found["kill to ready, slowest"].value)


def test_every_way_to_hang_is_measured():
    assert list(faults.HANGS) == [name for name in vars(faults) if name.startswith("hang_")]


def status(waiting, refused=0, up_s=0.0):
    """Return a probe of /status of one worker."""
    worker = {"waiting": waiting, "speaking": 1}
    totals = {"outcomes": {"done": 0}, "refusals": {"queue_full": refused, "waited_too_long": 0}}
    state = {"queue": 64, "up_s": up_s, "workers": [worker], "totals": totals}
    return availability.Probe("/status", 1.0, 200, json.dumps(state).encode())


def test_a_failed_probe_counts_with_its_time_and_the_load_is_read_from_status():
    others = [availability.Probe(path, 1000.0, None) for path in ("/livez", "/readyz", "/metrics")]
    states = [status(64, 1, 10.0), status(60, 7, 12.0), status(64, 21, 14.0)]
    found = by_name(availability.probe_values([*others, *states]))

    assert (3, 1000.0) == (found["probes that failed"].value, found["/livez: slowest"].value)
    assert (pytest.approx(2 / 3), 60) == (found["queue full, share of looks"].value, found["fewest that waited"].value)
    assert 5.0 == found["refused, queue full"].value


TWO_OF_FOUR = load.Window((answered(0, 0.4), answered(0, 0.4), late(2), late(2)), (1, 1), (3.0, 1.0), (0.002, 0.03))


def test_the_busiest_worker_is_put_over_the_mean():
    found = [load.busiest_to_mean(each) for each in ((2.0, 2.0), (3.0, 1.0), (1.0, 0.0), (0, 0))]
    assert [1.0, 1.5, 2.0, 1.0] == found


def test_percentiles_are_of_the_answered_and_beside_them_of_all():
    found = by_name(load.window_values("2 x, sync", TWO_OF_FOUR, is_ours=False))

    assert 400 == pytest.approx(found["2 x, sync: whole p95"].value)
    assert 10_000 == found["2 x, sync: whole p95 of all"].value
    assert (0.5, "") == (found["2 x, sync: answered"].value, found["2 x, sync: busiest / mean, speeches"].target)


def test_worker_classes_differ_by_what_they_take_at_a_time_and_nothing_else():
    alike, gthread, sync = (kind.command(8000) for kind in load.worker_kinds(Path("tts_config.yaml")))

    assert [*alike, "--worker-class", "gthread", "--threads", "2", "--worker-connections", "2"] == gthread
    # gunicorn makes gthread of sync if it has more than one thread.
    assert [*alike, "--worker-class", "sync", "--threads", "1"] == sync


def overload_of(during, before=(answered(0.0, 1.0),), after=()):
    return by_name(overload_values(Overload(2.0, 1.0, 10.0, before, during, after, 0.1)))


def test_goodput_counts_what_was_answered_in_time():
    found = overload_of([answered(1.0, 0.5), answered(2.0, 2.0), answered(3.0, 2.1), late(4.0), refused(5.0, 5.0, 0.01)])

    # Two seconds of audio in ten, of two a second.
    assert 0.1 == pytest.approx(found["answered in time / capacity"].value)
    assert 0.2 == found["refused"].value
    assert 1 == found["neither answered nor refused"].value


def test_an_accepted_request_that_was_never_answered_counts_as_the_timeout():
    assert 10_000 == latency_ms([answered(1.0, 0.5), late(4.0)], "total", 95)


def test_a_refusal_is_timed_from_when_it_was_sent_and_from_when_it_was_due():
    found = overload_of([refused(5.0, 5.5, 0.51, headers={})])

    assert 10 == pytest.approx(found["refusal p99"].value)
    assert 510 == pytest.approx(found["refusal p99, from when it was to be sent"].value)
    assert 1 == found["refusals without Retry-After"].value


BEFORE = [answered(1.0, 0.5), answered(2.0, 1.0)]


@pytest.mark.parametrize(
    ("after", "expected_s"),
    [
        ([answered(60.5, 0.5), answered(61.0, 1.19)], 0.0),
        ([answered(60.5, 2.0), answered(61.0, 0.5), answered(63.0, 0.5)], 1.0),
        ([answered(60.5, 0.5), refused(61.0, 61.0, 0.01), answered(63.0, 0.5)], 3.0),
        ([answered(60.5, 0.5), answered(61.0, 2.0)], math.inf),
        ([answered(61.0, 1.21)], math.inf),
    ],
    ids=["never worse", "one slow", "one refused", "to the end", "a fifth slower"],
)
def test_it_has_recovered_with_the_first_request_from_which_on_all_took_as_long_as_before(after, expected_s):
    assert expected_s == recovery_s(BEFORE, after, 60.0)


@pytest.mark.parametrize(
    ("slo_s", "capacity_hz", "expected"), [(2.0, 8.0, 4), (2.0, 1.0, 0), (1000.0, 100.0, 1000)], ids=["room", "none", "most"]
)
def test_the_queue_is_as_long_as_the_objective_allows(slo_s, capacity_hz, expected):
    assert expected == queue_for(slo_s, capacity_hz, 4)
