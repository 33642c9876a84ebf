"""loader.text.normalization.library: the work for texts that are made to cost much, counted and not timed."""

import itertools
import re

import pytest

from loader.text.normalization.normalizer import MAX_WRITTEN_CHARACTERS, normalizer_of
from loader.text.normalization.spokenform_library import SpokenformLibrary
from loader.text.passages import Passage

CHARACTERS = 4_000
#: `{}` is another number each time, so that nothing is remembered.
ATTACKS = (
    "+{} ", "{}=", "{}-", "{}.", "{}:", "${}, ", "~{} ", "https://x.com/{} ", "x.com/", "ABC ", "A.B.", "{} Main ", "{}\n",
    "it's {} ", "On May {}, we paid $1,234.56 for 12 kg, i.e. 50%. ", "Louis XIV {} ", "[{}] ", "&amp; {} ", "1×{}", "{}st ",
)  # fmt: skip


def attack(pattern):
    pieces, length = [], 0
    for number in itertools.count(10):
        pieces.append(pattern.format(number))
        length += len(pieces[-1])
        if length >= CHARACTERS:
            return "".join(pieces)[:CHARACTERS]


@pytest.fixture
def calls(monkeypatch):
    """The texts that the library is given."""
    texts = []
    replacements = SpokenformLibrary.replacements

    def counted(self, text):
        texts.append(text)
        return replacements(self, text)

    monkeypatch.setattr(SpokenformLibrary, "replacements", counted)
    return texts


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("pattern", ATTACKS)
def test_the_library_is_given_little_more_than_the_text_and_that_in_small_parts(pattern, language, calls):
    normalizer = normalizer_of(language)
    for sentence in normalizer.sentences(attack(pattern)):
        for _ in normalizer.spoken(Passage(sentence)):
            pass

    assert all(len(text) <= 2 * MAX_WRITTEN_CHARACTERS for text in calls)
    assert sum(map(len, calls)) <= 2 * CHARACTERS
    assert len(calls) <= CHARACTERS / 20


def test_a_table_is_read_without_the_library(calls):
    normalizer = normalizer_of("en")

    text = "".join(piece.text.text for piece in normalizer.spoken(Passage("1=2=" * 60)))

    assert [] == calls
    assert "one equals two" in " ".join(text.split())


def test_a_text_that_comes_again_is_not_read_again(calls):
    normalizer = normalizer_of("en")
    for _ in range(3):
        list(normalizer.spoken(Passage("It is 5.25 m, 3 ft and 77 in long.")))

    assert 1 >= len(calls)


def test_words_at_the_end_of_a_fragment_do_not_run_together():
    written = Passage("On May 3, 2024 we paid $1.50 for 12 kg, i.e. 50% " * 9)
    text = "".join(piece.text.text for piece in normalizer_of("en").spoken(written))

    assert 9 == len(re.findall(r"\bfifty percent\b", text))
