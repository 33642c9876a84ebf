"""An amount of money keeps its value: magnitudes, hundredths, more decimals, ranges."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("$1.2 trillion", "one point two trillion dollars"),
        ("$1.005", "one point zero zero five dollars"),
        ("$.05", "five cents"),
        ("$50.00-$100.50", "fifty dollars to one hundred dollars fifty"),
        ("£2-3m", "two to three million pounds"),
        ("$900k-$1m", "nine hundred thousand dollars to one million dollars"),
        ("1.234,50 €", "one thousand two hundred thirty four euros fifty"),
        ("¥30B", "thirty billion yen"),
        ("-$5/hr", "minus five dollars per hour"),
    ],
)
def test_an_amount_is_said_with_its_value(written, spoken):
    assert words(say(written, "en")) == words(spoken)
