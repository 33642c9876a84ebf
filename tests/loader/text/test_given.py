"""loader.text.given: given phonemes in a text, and the words of that text."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.text.alignment import word_spans
from loader.text.given import given_word_spans, insert_phonemes
from loader.text.lexicon.lexicon import Pronunciation


@pytest.fixture
def read(front_end):
    return lambda text: front_end.read(text, "en-us")


def given_of(text, **phonemes):
    """Return the places of these terms; `_` stands for a space."""
    places = [(text.index(term.replace("_", " ")), term.replace("_", " "), each) for term, each in phonemes.items()]
    return [Pronunciation(place, place + len(term), each) for place, term, each in sorted(places)]


def insert(read, text, **phonemes):
    return insert_phonemes(text, read(text), given_of(text, **phonemes), read)


@pytest.mark.parametrize(
    ("text", "phonemes", "spoken"),
    [
        ("We read the GIF, of a page.", {"GIF": "dʒˈɪf"}, "wiː ɹˈiːd ðə dʒˈɪf, əvə pˈeɪdʒ."),
        ("GIF", {"GIF": "dʒˈɪf"}, "dʒˈɪf"),
        ("I live in New York now", {"New_York": "nˈʏ"}, "aɪ lˈɪv ɪn nˈʏ nˈaʊ"),
        ("SQL and SQL-based", {"SQL": "sˈiːkwəl", "based": "bˈʊst"}, "sˈiːkwəl ænd ˌɛskjˌuːˈɛl bˈʊst"),
        ("The server's cache", {"server": "zˈɜːvə"}, "ðə zˈɜːvəz kˈæʃ"),
    ],
)
def test_given_phonemes_replace_what_was_read_and_nothing_beside_it(read, text, phonemes, spoken):
    assert spoken == insert(read, text, **phonemes)


def test_a_term_that_the_voice_reads_without_a_sound_is_spoken_between_its_neighbours(read):
    text = "one ★ two"
    phonemes = insert_phonemes(text, read(text), [Pronunciation(4, 5, "stˈɑː")], read)

    assert ["wˈʌn", "stˈɑː", "tˈuː"] == phonemes.split()
    assert "stˈɑː" == insert_phonemes("★", "", [Pronunciation(0, 1, "stˈɑː")], read).strip()


def test_words_with_given_phonemes_have_their_spans(read):
    text = "Use nginx in New York, or SQL's heir."
    given_phonemes = given_of(text, nginx="ˈɛndʒɪnˈɛks", New_York="nˈʏ", SQL="sˈiːkwəl")
    phonemes = insert_phonemes(text, read(text), given_phonemes, read)
    spans = given_word_spans(text, phonemes, given_phonemes, read)
    spoken = [phonemes[span.first_phoneme : span.last_phoneme] for span in spans]

    assert ["Use", "nginx", "in", "New York", "or", "SQL's", "heir"] == [span.text for span in spans]
    assert ["ˈɛndʒɪnˈɛks", "nˈʏ", "sˈiːkwəlz"] == [spoken[1], spoken[3], spoken[5]]


def test_without_given_phonemes_nothing_changes(read):
    text = "We read the page, of a book."

    assert read(text) == insert_phonemes(text, read(text), [], read)
    assert word_spans(text, read(text), read) == given_word_spans(text, read(text), [], read)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("the server of an apple, nginx SQL's a it-is ★ Dr. end.".split()), max_size=8),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_every_given_phoneme_is_spoken_once_and_in_order(read, words, cuts):
    text = " ".join(words)
    places = sorted({cut for cut in cuts if cut <= len(text)})
    ranges = [Pronunciation(*each, f"ʘ{number}ʘ") for number, each in enumerate(zip(places[::2], places[1::2]))]
    phonemes = insert_phonemes(text, read(text), ranges, read)

    assert list(map(str, range(len(ranges)))) == phonemes.split("ʘ")[1::2]
