"""app.tuning.units: what is parsed, and what is refused with a remedy."""

import pytest

from app.tuning.units import BadQuantityError, format_duration, format_size, parse_duration_s, parse_size_bytes


@pytest.mark.parametrize(
    ("written", "expected"), [("300ms", 0.3), ("2s", 2.0), ("1.5 s", 1.5), ("10m", 600.0), ("1h", 3600.0), (" 7s ", 7.0)]
)
def test_durations_are_parsed(written, expected):
    assert expected == pytest.approx(parse_duration_s(written, 0.001, 1e6))


@pytest.mark.parametrize(("written", "expected"), [("8GiB", 2**33), ("8GB", 8 * 10**9), ("512MiB", 2**29), ("1.5KiB", 1536)])
def test_sizes_are_parsed(written, expected):
    assert expected == parse_size_bytes(written, 0, 2**40)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "is not a duration such as 300ms"),
        ("-1s", "is not a duration"),
        ("1e3s", "is not a duration"),
        ("infs", "is not a duration"),
        ("٣s", "is not a duration"),
        ("300", "has no unit, expected one of ms, s, m, h"),
        ("300MS", "has the unit 'MS', expected one of"),
        ("0s", "is out of bounds, expected 1ms to 60m"),
        ("2h", "is out of bounds, expected 1ms to 60m"),
        ("9" * 500 + "s", "is not a duration"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_is_accepted(written, said):
    with pytest.raises(BadQuantityError) as refusal:
        parse_duration_s(written, 0.001, 3600.0)

    assert said in str(refusal.value)
    assert len(str(refusal.value)) < 200
    assert 64 == refusal.value.exit_status


@pytest.mark.parametrize(
    ("written", "said"), [("8", "no unit"), ("8gb", "the unit 'gb'"), ("1MiB", "expected 64MiB to"), ("eight", "is not a size")]
)
def test_what_is_no_size_is_refused_with_what_is_accepted(written, said):
    with pytest.raises(BadQuantityError, match=said):
        parse_size_bytes(written, 2**26, 2**50)


@pytest.mark.parametrize("value_s", [0.0123, 0.3, 1.5, 59.0, 600.0, 7200.0])
def test_a_formatted_duration_parses_as_itself(value_s):
    assert value_s == pytest.approx(parse_duration_s(format_duration(value_s), 0.001, 1e6), rel=0.01)


@pytest.mark.parametrize("size", [17, 2**10, 3 * 2**20, 2**33, 2**41])
def test_a_formatted_size_parses_as_itself(size):
    assert size == pytest.approx(parse_size_bytes(format_size(size), 0, 2**50), rel=0.001)
