"""Words in capitals are spelled, or said as words."""

import pytest

from loader.text.normalization.english.capitals import is_spelled
from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize("word", ["FBI", "UK", "HTML", "USDA", "HR", "GPA", "YMCA", "DNA"])
def test_an_initialism_is_spelled(word):
    assert is_spelled(word, is_shouted=False)


@pytest.mark.parametrize("word", ["NASA", "UNESCO", "RAM", "NOT", "STOP", "HELLO"])
def test_an_acronym_and_an_emphasized_word_are_not(word):
    assert not is_spelled(word, is_shouted=False)


@pytest.mark.parametrize("word", ["DOG", "BAR", "IT", "US"])
def test_a_short_word_of_a_text_in_capitals_is_not(word):
    assert not is_spelled(word, is_shouted=True)


def test_letters_after_a_number_are_no_unit():
    assert words(say("There are 3 CD players.", "en")) == words("There are three C D players.")
