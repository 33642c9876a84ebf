"""loader.text.sentences: nothing is lost but white space, and no piece is longer than its limit."""

import random

import pytest

from loader.text.sentences import PIECE_CHARACTERS, UTTERANCE_PHONEMES, split_at_breaks, split_sentences
from tests.loader.text.corpus import CORPUS

NASTY = {
    "digits": "1234567890" * 2000,
    "dots": "." * 20_000,
    "dots and spaces": ". " * 10_000,
    "open brackets": "(" * 20_000,
    "quotes": "\"'" * 10_000,
    "exclamations": "!?" * 10_000,
    "spaces": " " * 20_000,
    "new lines": "\n" * 20_000,
    "one word": "a" * 20_000,
    "titles": "Mr. " * 5_000,
    "list items": "1." * 10_000,
    "initials": "A.B. " * 4_000,
    "combining marks": "\u0301" * 20_000,
    "emoji": "👨‍👩‍👧" * 4_000,
    "CJK": "你好。世界！" * 3_000,
    "CJK without stops": "語" * 20_000,
    "brackets and stops": "(a. " * 5_000,
    "quoted sentences": '"A. ' * 5_000,
    "sentences": "This is one. " * 1_500,
}


def without_space(text):
    return "".join(text.split())


def random_texts(count, length):
    random_of = random.Random(20)
    alphabet = [*"abXY  \n\t.,;:!?()\"'«»-–12", ". ", "; ", ": ", ", ", "Mr. ", "e.g. ", "。", "你", "é", "\u0301", "😀"]
    for _ in range(count):
        yield "".join(random_of.choices(alphabet, k=random_of.randrange(length)))


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_sentences_of_nasty_text_lose_nothing_but_space(text):
    assert without_space(text) == without_space("".join(split_sentences(text, "en")))


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_pieces_of_nasty_text_keep_the_limit_and_lose_nothing_but_space(text):
    pieces = list(split_at_breaks(text, PIECE_CHARACTERS))

    assert all(0 < len(piece) <= PIECE_CHARACTERS for piece in pieces)
    assert without_space(text) == without_space("".join(pieces))


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh", "ja", "ru", "xx", ""])
def test_sentences_lose_nothing_but_space_in_any_language(language):
    for text in [*CORPUS, *random_texts(100, 200)]:
        sentences = list(split_sentences(text, language))

        assert without_space(text) == without_space("".join(sentences))
        assert all(sentence and sentence == sentence.strip() for sentence in sentences)


@pytest.mark.parametrize("limit", [2, 3, 10, 40, PIECE_CHARACTERS])
def test_pieces_keep_any_limit_and_lose_nothing_but_space(limit):
    for text in random_texts(500, 1000):
        pieces = list(split_at_breaks(text, limit))

        assert all(len(piece) <= limit for piece in pieces)
        assert without_space(text) == without_space("".join(pieces))


def test_sentences_end_at_stops():
    assert ["One is here.", "Two?", "Three!"] == list(split_sentences("One is here. Two? Three!", "en"))


def test_a_title_does_not_end_a_sentence():
    assert ["Mr. Smith came.", "He sat."] == list(split_sentences("Mr. Smith came. He sat.", "en"))


def test_chinese_sentences_need_no_space():
    assert ["你好。", "世界！"] == list(split_sentences("你好。世界！", "zh"))


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \u2028"])
def test_white_space_has_no_sentence(text):
    assert [] == list(split_sentences(text, "en"))


def test_halves_of_characters_are_joined_or_dropped():
    assert ["a😀b.", "c"] == list(split_sentences("a\ud83d\ude00b\ud83d. \udc00c", "en"))


def test_a_short_text_is_one_piece():
    assert ["as it is"] == list(split_at_breaks("as it is", 20))


def test_a_text_of_the_limit_is_one_piece():
    assert ["x" * 20] == list(split_at_breaks("x" * 20, 20))


def test_a_clause_is_better_than_a_word():
    assert ["one two three,", "four five"] == list(split_at_breaks("one two three, four five", 20))


def test_a_word_is_better_than_its_middle():
    assert ["one two three", "four five six"] == list(split_at_breaks("one two three four five six", 17))


def test_a_long_word_is_cut_at_the_limit():
    assert ["abcde", "fgh"] == list(split_at_breaks("abcdefgh", 5))


def test_no_piece_is_tiny_because_of_an_early_break():
    first = next(split_at_breaks("a, " + "b" * 30, 20))

    assert 20 == len(first)


def test_phonemes_are_cut_between_words():
    phonemes = "həlˈoʊ wˈɜːld " * 60

    assert all(part.endswith(("oʊ", "ld")) for part in split_at_breaks(phonemes.strip(), UTTERANCE_PHONEMES))
