"""Voices that read characters get the apostrophes and letters that they know, as Coqui gives them."""

import unicodedata

import pytest

from loader.voices.pieces import Reader

LATIN = "abcdefghijklmnopqrstuvwxyz ,."
DECOMPOSED = unicodedata.normalize("NFD", "für café")


def spoken(text, letters, normalizes=True):
    return "".join(piece.spoken.text.text for piece in Reader("en", normalizes, letters=letters).pieces(text))


@pytest.mark.parametrize("written", ["I’d go", "I'd go", "ha\u030dlt", DECOMPOSED, "für café"])
@pytest.mark.parametrize("letters", [LATIN + "’'", LATIN + "’", LATIN + "\u0308\u0301\u030d'"])
def test_a_character_that_the_voice_knows_is_the_one_that_coqui_numbers(written, letters):
    """Coqui numbers each written character that the voice knows, and drops the others."""
    known = {text: [each for each in text if each.lower() in letters] for text in (written, spoken(written, letters))}

    assert known[written] == [*known.values()][-1] or "’" not in letters and "’" in written


@pytest.mark.parametrize("letters", [LATIN + "’'", LATIN + "’"])
def test_a_typographic_apostrophe_stays_if_the_voice_knows_it(letters):
    assert "I’d go" == spoken("I’d go", letters)


def test_an_apostrophe_that_the_voice_does_not_know_becomes_the_plain_one():
    assert "I'd go" == spoken("I’d go", LATIN + "'") == spoken("I'd go", LATIN + "'")


def test_a_decomposed_letter_is_composed_only_if_the_voice_knows_it_so():
    assert DECOMPOSED == spoken(DECOMPOSED, LATIN + "\u0308\u0301")
    assert "für café" == spoken(DECOMPOSED, LATIN + "üé")
    assert DECOMPOSED == spoken(DECOMPOSED, LATIN), "without its marks, but not silent"


def test_capital_letters_count_as_the_small_ones():
    assert unicodedata.normalize("NFD", "Über") == spoken(unicodedata.normalize("NFD", "Über"), LATIN + "\u0308")


def test_numbers_are_still_words_and_other_words_keep_their_marks():
    assert "I’d take twenty one" == spoken("I’d take 21", LATIN + "’-")


def test_a_voice_that_reads_phonemes_gets_plain_apostrophes_and_composed_letters():
    assert "I'd für" == spoken(unicodedata.normalize("NFD", "I’d für"), ())


def test_nothing_changes_without_normalization():
    assert DECOMPOSED == spoken(DECOMPOSED, LATIN + "üé", normalizes=False)
