"""loader.text.long_words: where long words are split, and which stay whole."""

import random

import pytest

from loader.text.long_words import split_long_words
from tests.loader.text.corpus import CORPUS, LANGUAGES
from tests.loader.text.fuzz import pattern


@pytest.mark.parametrize(
    "word",
    ["Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", "pneumonoultramicroscopicsilicovolcanoconiosis",
     "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "Noooooooooooooooooooooo", "1234567890123456",
     "https://example.org/a-path/of_some/length"],
)  # fmt: skip
def test_real_words_stay_whole(word):
    assert word == split_long_words(word)


def test_prose_is_unchanged():
    corpus = (*CORPUS, *(each for every in LANGUAGES.values() for each in every))
    texts = [text for text in corpus if max(map(len, text.split()), default=0) < 40]

    assert len(texts) > 400
    assert texts == [split_long_words(text) for text in texts]


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("w" * 40, ["w" * 15, "w" * 11, "w" * 11, "www"]),
        ("9" * 84, ["9" * 30, "9" * 30, "9" * 24]),
        ("word_" * 20, ["word_" * 11, "word_" * 9]),
        ("CamelCase" * 10, ["CamelCase" * 7, "CamelCase" * 3]),
        ("'s" * 50, ["'s" * 25, "'s" * 25]),
    ],
)
def test_a_long_word_is_split_at_the_best_place(word, parts):
    assert parts == split_long_words(word).split(" ")


@pytest.mark.parametrize("unit", ["e\u0301", "\u0915\u093e", "\U0001f44d\U0001f3fd", "\u0e01\u0e32\u0e4d", "a\u200d"])
def test_a_mark_stays_with_its_letter(unit):
    parts = split_long_words(unit * 200).split(" ")

    assert len(parts) > 1
    assert unit * 200 == "".join(parts)
    assert all(part.startswith(unit[0]) for part in parts)


def test_very_many_marks_are_split_too():
    assert max(map(len, split_long_words("a" + "\u0301" * 1000).split(" "))) < 100


def test_only_spaces_are_added_to_any_text():
    for number in range(3000):
        language = random.Random(number).choice(["en-us", "hi", "ko", "ru", "vi"])
        text = pattern(language, number, seed=3)

        assert text.replace(" ", "") == split_long_words(text).replace(" ", "")
