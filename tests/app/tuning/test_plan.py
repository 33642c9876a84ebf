"""app.tuning.plan: candidates, and the grammar of objectives, durations, sizes and counts."""

import pytest

from app.tuning.plan import (
    Candidate,
    Objective,
    candidates_of,
    default_workers,
    format_duration,
    format_size,
    parse_counts,
    parse_duration_s,
    parse_objectives,
    parse_size_bytes,
)
from tests.support.simulated_server import plan_of


@pytest.mark.parametrize(
    ("cores", "workers"), [(1, (1, 2)), (2, (1, 2, 3)), (8, (1, 2, 4, 6, 8, 12)), (1000, (1, 250, 500, 512))]
)
def test_workers_are_shares_of_the_cores_that_the_configuration_accepts(cores, workers):
    assert workers == default_workers(cores)


def test_the_baseline_is_first_a_worker_a_core_with_four_threads():
    ordered = candidates_of((1, 2, 3), (2, 4, 8), 2)

    assert 9 == len(ordered)
    assert Candidate(2, 4) == ordered[0]
    assert {Candidate(2, 2), Candidate(2, 8)} == set(ordered[1:3])


def test_counts_are_within_the_bounds_of_their_key():
    assert (1, 2, 4) == parse_counts("4, 1,2,2", "workers")
    with pytest.raises(ValueError, match="'1' is none of the numbers 2 to 64; several by commas: 2,4"):
        parse_counts("1,2", "threads")


def test_an_slo_is_a_list_of_objectives():
    objectives = parse_objectives("first_audio_p95=300ms, total_p99.9 = 2s")

    assert (Objective("first_audio", 95.0, 0.3), Objective("total", 99.9, 2.0)) == objectives
    assert "first_audio_p95=300ms,total_p99.9=2s" == plan_of(objectives, []).slo
    assert 2.0 == plan_of(objectives, []).timeout_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "'' is no objective, expected first_audio or total, _p and a percentile above 0 and below 100"),
        ("total_p95=2s,", "'' is no objective"),
        ("ttfa_p95=300ms", "'ttfa_p95=300ms' is no objective"),
        ("total=2s", "is no objective"),
        ("total_p95", "is no objective"),
        ("total_p95<2s", "is no objective"),
        ("total_p0=2s", "'total_p0=2s' is no objective"),
        ("total_p100=2s", "is no objective"),
        ("total_p95=2", "'2' is not a duration"),
        ("total_p95=0s", "'0s' is out of bounds, expected 1ms to 60m"),
    ],
)
def test_a_wrong_slo_is_refused_with_what_is_accepted(text, expected):
    with pytest.raises(ValueError) as refusal:
        parse_objectives(text)

    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"), [("300ms", 0.3), ("2s", 2.0), ("1.5 s", 1.5), ("10m", 600.0), ("1h", 3600.0), (" 7s ", 7.0)]
)
def test_durations_are_parsed(text, expected):
    assert expected == pytest.approx(parse_duration_s(text, 0.001, 1e6))


@pytest.mark.parametrize(("text", "expected"), [("8GiB", 2**33), ("8GB", 8 * 10**9), ("512MiB", 2**29), ("1.5KiB", 1536)])
def test_sizes_are_parsed(text, expected):
    assert expected == parse_size_bytes(text, 0, 2**40)


@pytest.mark.parametrize("text", ["", "-1s", "1e3s", "infs", "٣s", "300", "300MS", "9" * 500 + "s"])
def test_a_wrong_duration_is_refused_with_what_is_accepted(text):
    with pytest.raises(ValueError, match="is not a duration such as 300ms, 2s or 10m; the units are ms, s, m, h") as refusal:
        parse_duration_s(text, 0.001, 3600.0)

    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("text", ["0s", "2h"])
def test_a_duration_out_of_bounds_is_refused_with_the_bounds(text):
    with pytest.raises(ValueError, match="is out of bounds, expected 1ms to 60m"):
        parse_duration_s(text, 0.001, 3600.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8", "the units are B, kB"), ("8gb", "not a size"), ("1MiB", "expected 64MiB to"), ("eight", "not a size")],
)
def test_a_wrong_size_is_refused_with_what_is_accepted(text, expected):
    with pytest.raises(ValueError, match=expected):
        parse_size_bytes(text, 2**26, 2**50)


@pytest.mark.parametrize("value_s", [0.0123, 0.3, 1.5, 59.0, 600.0, 7200.0])
def test_a_formatted_duration_parses_as_itself(value_s):
    assert value_s == pytest.approx(parse_duration_s(format_duration(value_s), 0.001, 1e6), rel=0.01)


@pytest.mark.parametrize("size_bytes", [17, 2**10, 3 * 2**20, 2**33, 2**41])
def test_a_formatted_size_parses_as_itself(size_bytes):
    assert size_bytes == pytest.approx(parse_size_bytes(format_size(size_bytes), 0, 2**50), rel=0.001)
