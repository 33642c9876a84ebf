"""loader.text.markup.values: values of SSML's attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.text.markup import values


@pytest.mark.parametrize(
    ("value", "duration_s"), [("800ms", 0.8), ("0.8s", 0.8), (".5s", 0.5), ("+2s", 2), ("1.s", 1), ("0ms", 0)]
)  # fmt: skip
def test_durations_are_seconds(value, duration_s):
    assert duration_s == values.parse_duration_s(value)


@pytest.mark.parametrize("value", ["", "1", "s", "-1s", "1m", "nan s", "1e3s", "٣s", "99999999s"])
def test_other_durations_are_refused_with_an_example(value):
    with pytest.raises(ValueError, match="800ms or 0.8s"):
        values.parse_duration_s(value)


@pytest.mark.parametrize(
    ("value", "rate"), [("slow", 0.75), ("80%", 0.8), ("+10%", 2.2), ("-50%", 1), ("1.5", 1.5), ("default", 1)]
)  # fmt: skip
def test_rates_with_a_sign_change_the_outer_one(value, rate):
    assert rate == pytest.approx(values.parse_rate(value, 2))


@pytest.mark.parametrize(
    ("value", "volume"), [("silent", 0), ("80", 0.8), ("+6dB", 0.998), ("-6dB", 0.2506), ("-10%", 0.45), ("x-loud", 2)]
)  # fmt: skip
def test_volumes_are_factors_of_the_amplitude(value, volume):
    assert volume == pytest.approx(values.parse_volume(value, 0.5), abs=0.001)


@pytest.mark.parametrize(("value", "pitch"), [("+12st", 2), ("-2st", 0.891), ("+10%", 1.1), ("low", 0.85)])
def test_pitches_are_factors_of_the_frequency(value, pitch):
    assert pitch == pytest.approx(values.parse_pitch(value, 1), abs=0.001)


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (values.parse_rate, "500%"), (values.parse_rate, "-90%"), (values.parse_volume, "+60dB"), (values.parse_volume, "-200%"),
        (values.parse_pitch, "+99999st"), (values.parse_pitch, "-13st"),
    ],
)  # fmt: skip
def test_factors_out_of_bounds_are_refused(parse, value):
    with pytest.raises(ValueError, match="write a smaller change"):
        parse(value, 1)


def test_a_pitch_in_hertz_is_refused():
    with pytest.raises(ValueError, match=r"write one of x-low, .*, or a value such as \+10%, -2st"):
        values.parse_pitch("200Hz", 1)


@pytest.mark.parametrize(("value", "name"), [("spell-out", "characters"), ("number", "cardinal"), ("date", "date")])
def test_other_services_names_of_interpretations_are_known(value, name):
    assert name == values.parse_interpretation(value)


@pytest.mark.parametrize("value", ["", "english speech", "e", "en-", "en US"])
def test_what_is_no_language_is_refused(value):
    with pytest.raises(ValueError, match="en-US"):
        values.parse_language(value)


@given(st.text(max_size=20) | st.text("0123456789.+-%dBstmHz", max_size=20), st.floats(0.25, 4))
def test_any_value_is_a_bounded_number_or_an_error(value, outer):
    for parse, maximum in ((values.parse_rate, 4), (values.parse_volume, 4), (values.parse_pitch, 2)):
        try:
            assert 0 <= parse(value, outer) <= maximum
        except ValueError as error:
            assert "write" in str(error)
