"""ops.benchmarks.text: rows of the table, and texts that are made to cost much."""

import pytest

from ops.benchmarks.readings import Reading
from ops.benchmarks.text import _ATTACKS, Case, _attack


def test_a_row_says_what_was_right_before_and_after():
    case = Case(Reading("en", "a|b\n5", ("five",), "digits"), "fife", "Five.")

    assert r"| en | digits | a¦b\n5 | fife | Five. | wrong | right |" == case.row()


@pytest.mark.parametrize("pattern", _ATTACKS)
def test_an_attack_is_as_long_as_it_should_be(pattern):
    assert 1000 == len(_attack(pattern, 1000))


def test_the_numbers_of_an_attack_differ():
    assert "+10 +11 +12" == _attack("+{} ", 11)
