"""loader.text.normalization.european.units: units, times and dimensions."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("fr", "500 Go", "cinq cents gigaoctets"),
        ("pt", "1 kWh", "um quilowatt-hora"),
        ("de", "10 x 20 cm", "zehn mal zwanzig Zentimeter"),
        ("fr", "3x par jour", "trois fois par jour"),
        ("es", "1x al día", "una vez al día"),
        ("pt", "Brasil 1 x 0 Chile", "Brasil um a zero Chile"),
        ("it", "50 Mbps", "cinquanta megabit al secondo"),
    ],
)
def test_a_unit_is_said(language, written, said):
    assert words(said) == words(say(written, language))
