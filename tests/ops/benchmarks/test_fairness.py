"""What is made of windows of several sides, and how the sides differ."""

from pathlib import Path

import pytest

from app.tuning.outcome import ANSWERED, LATE, Outcome
from ops.benchmarks import fairness
from ops.benchmarks.fairness import Round, Seen, busiest_to_mean
from ops.benchmarks.report import Target

DONE, LEFT = Outcome(10, 0.0, 0.0, ANSWERED, 200, 0.1, 0.4), Outcome(10, 2.0, 2.0, LATE)
TWO_OF_FOUR = Seen((DONE, DONE, LEFT, LEFT), speeches=(1, 1), core_s=(3.0, 1.0), probes_s=(0.002, 0.03))


def by_name(name):
    figures = fairness._figures([Round(4.0, {(name, load): TWO_OF_FOUR for load in fairness._LOADS})], [name])
    return {each.name: each for each in figures}


def test_the_busiest_is_put_over_the_mean():
    assert (1.0, 1.5, 2.0) == (busiest_to_mean((2.0, 2.0)), busiest_to_mean((3.0, 1.0)), busiest_to_mean((1.0, 0.0)))


def test_workers_that_all_did_nothing_are_alike():
    assert 1.0 == busiest_to_mean((0, 0))


def test_percentiles_are_of_the_answered_and_beside_them_of_all():
    found = by_name("sync")

    assert 400 == pytest.approx(found["2 x, sync: whole p95"].median)
    assert 10_000 == found["2 x, sync: whole p95 of all"].median
    assert 0.5 == found["2 x, sync: answered"].median


def test_only_ours_is_held_to_be_fair():
    name = "0.9 x, {}: busiest / mean, speeches"

    assert Target("<=", 1.25) == by_name("ours")[name.format("ours")].target
    assert by_name("gthread")[name.format("gthread")].target is None


def test_sides_differ_by_the_worker_class_and_what_it_takes_at_a_time():
    alike, gthread, sync = (side.command(8000) for side in fairness._sides(Path("tts_config.yaml")))

    assert [*alike, "--worker-class", "gthread", "--threads", "2", "--worker-connections", "2"] == gthread
    # gunicorn makes gthread of sync where it has more threads than one.
    assert [*alike, "--worker-class", "sync", "--threads", "1"] == sync
