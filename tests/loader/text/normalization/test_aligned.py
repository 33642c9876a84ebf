"""loader.text.normalization.aligned: origins through replacements and parts."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from loader.text.normalization.aligned import AlignedText


def aligned(text):
    return AlignedText.of(text, 0, len(text))


def written_words(text, written):
    """Return what each word of the text stands for."""
    return [written[slice(*text.written_range(*match.span()))] for match in re.finditer(r"\w+", text.text)]


def test_new_words_stand_for_all_that_was_replaced():
    text = aligned("pay $5 now").replaced([(4, 6, "five dollars")])

    assert "pay five dollars now" == text.text
    assert ["pay", "$5", "$5", "now"] == written_words(text, "pay $5 now")


def test_words_that_stay_keep_their_origins():
    text = aligned("in Jan. 2021 it").replaced([(3, 12, "January 2021")])

    assert ["in", "Jan.", "2021", "it"] == written_words(text, "in Jan. 2021 it")


def test_a_replacement_of_a_replacement_stands_for_the_first_text():
    text = aligned("3/4 cup").replaced([(0, 3, "3 quarters")]).substituted(re.compile("3"), "three")

    assert ["3", "/4", "cup"] == written_words(text, "3/4 cup")


def test_an_insertion_stands_for_the_character_before_it():
    assert (0, 1) == aligned("ab").replaced([(1, 1, "x")]).origins[1]


def test_a_function_may_keep_a_match():
    text = aligned("1 2").substituted(re.compile(r"\d"), lambda match: "one" if match[0] == "1" else None)

    assert "one 2" == text.text


def test_a_string_is_not_a_template():
    assert r"\1" == aligned("a").substituted(re.compile("(a)"), r"\1").text


@st.composite
def changed(draw):
    """A text, and what is left of it after random replacements."""
    written = draw(st.text("ab 1.", min_size=1, max_size=20))
    text = aligned(written)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text.text)))
        stop = draw(st.integers(start, len(text.text)))
        text = text.replaced([(start, stop, draw(st.text("ab 1.", max_size=5)))])
    return written, text


@given(changed())
def test_origins_never_fall_and_stay_within_the_text(case):
    written, text = case

    assert len(text.text) == len(text.origins)
    for place in (0, 1):
        ends = [origin[place] for origin in text.origins]
        assert ends == sorted(ends)
    assert all(0 <= start <= stop <= len(written) for start, stop in text.origins)


@given(changed(), st.integers(0, 20))
def test_two_parts_have_the_whole_written_text_between_them(case, place):
    written, text = case
    cut = min(place, len(text.text))
    assume(not text.text[cut : cut + 1].isspace())
    first, second = text.part(0, cut), text.part(cut, len(text.text))

    assert (0, len(written)) == (first.start, second.stop)
    assert first.stop == second.start or not text.text[:cut].strip() or not text.text[cut:].strip()
