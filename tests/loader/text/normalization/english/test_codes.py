"""Codes are said one by one or in pairs, and lose no letter."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Apt. 12C", "Apartment twelve C"),
        ("F-16, A320", "F sixteen, A three twenty"),
        ("GPT-3.5", "G P T three point five"),
        ("Dial 911.", "Dial nine one one."),
        ("Austin, TX 78701", "Austin, Texas seven eight seven zero one"),
        ("4111 1111 1111 1111", "four one one one, one one one one, one one one one, one one one one"),
        ("10:05:30", "ten five thirty"),
    ],
)
def test_a_code_is_said_whole(written, spoken):
    said = words(say(written, "en"))

    assert [word for word in said if word not in ("oh", "and", "hours", "minutes", "seconds")] == words(spoken)
