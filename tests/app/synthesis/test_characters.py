"""app.synthesis.characters: which characters of a text become a space, and which are dropped and named."""

import sys
import unicodedata

import pytest

from app.synthesis.characters import MAX_NAMED, CleanText, clean_text


@pytest.mark.parametrize("space", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85"])
def test_white_space_among_control_characters_is_a_space_in_its_place(space):
    assert CleanText("a b") == clean_text(f"a{space}b")


@pytest.mark.parametrize(
    "text", ["", "a", "two\nlines\tand\r\ntabs", "Straße", "日本語", "👩‍👩‍👧", "\ufeffBOM", "\u200b", "a\u00adb", "\u2028"]
)
def test_text_stays_as_it_is(text):
    assert CleanText(text) == clean_text(text)


@pytest.mark.parametrize("character", ["\0", "\x07", "\x08", "\x1b", "\x7f", "\x86", "\x92", "\x9f", "\ud800", "\udfff"])
def test_other_control_characters_and_halves_of_pairs_are_dropped_and_named(character):
    assert CleanText("ab", (f"U+{ord(character):04X}",)) == clean_text(f"a{character}b")


@pytest.mark.parametrize("sequence, named", [
    ("\x1b[31m", ("U+001B",)), ("\x1b[0m", ("U+001B",)), ("\x1b[2;5H", ("U+001B",)), ("\x1b[?25l", ("U+001B",)),
    ("\x9b1m", ("U+009B",)), ("\x1b]8;;https://example.com\x1b\\", ("U+001B",)), ("\x1b]0;title\x07", ("U+001B", "U+0007")),
])  # fmt: skip
def test_what_belongs_to_an_escape_sequence_goes_with_it(sequence, named):
    assert CleanText("a red b", named) == clean_text(f"a {sequence}red b")


def test_an_escape_that_begins_no_sequence_takes_nothing_else():
    assert CleanText("a]b [é", ("U+001B",)) == clean_text("a\x1b]b \x1b[é")


def test_each_character_is_named_once_in_the_order_of_the_text():
    assert ("U+0007", "U+0000") == clean_text("\x07a\0b\x07").dropped


def test_the_names_are_bounded():
    every = "".join(map(chr, [*range(32), *range(127, 160)]))

    assert MAX_NAMED == len(clean_text(every).dropped)


def test_no_control_character_or_surrogate_is_left_of_any_character():
    left = clean_text("".join(map(chr, range(sys.maxunicode + 1)))).text

    assert {"\t", "\n", "\r"} == {each for each in left if unicodedata.category(each) in ("Cc", "Cs")}


def test_unfinished_sequences_take_linear_time():
    for attack in ("\x1b[0" * 100_000, "\x1b]" * 150_000, "\x1b[" + "0" * 300_000, "\x1b]" + "x" * 300_000):
        assert "U+001B" in clean_text(attack).dropped
