"""loader.text.clauses: where espeak-ng ends clauses and by which marks, as Piper's espeak-ng of 2026 tells it."""

import re
import sys
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loader.text.espeak import MAX_CLAUSE_PHONEMES
from tests.loader.text.corpus import CORPUS
from tests.loader.text.european import EUROPEAN
from tests.loader.text.piper_reader import PiperReader

LANGUAGES = ("en-us", "de", "fr", "es", "it", "pt-br", "pl", "ru", "uk", "hu", "nb", "sv", "tr", "ar", "hi", "vi", "cmn", "ka")
#: Rules of espeak-ng: marks, what may follow them, numbers, Roman numbers, lower and upper case.
PARTS = (
    ".", "..", "...", "…", ",", ";", ":", "?", "!", "?!", "!!!", "。", "、", "？", "–", "—", "-", "¿", "¡", "՞", "।", "؟", "،",
    " ", " ", " ", "  ", "\n", "\n\n", "\u00a0", "\u2009", "\u2028", "\u2029", "\t", "(", ")", "[", "]", "\"", "'", "“", "”",
    "«", "»", "'s", "a", "A", "I", "b", "Dr", "word", "Word", "ß", "É", "я", "Я", "中", "é", "1", "23", "4", "1,5", "3.14", "IV",
    "XX", "L", "U.S.", "<", "&", "%", "\u200c", "\u00ad", "_", "*",
)  # fmt: skip
texts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=14).map("".join)


@pytest.fixture(scope="module")
def piper():
    with PiperReader() as reader:
        yield reader


def ends(clauses):
    return [(mark, ends_sentence) for _phonemes, mark, ends_sentence in clauses]


def read(espeak, text, language):
    return [(each.phonemes, each.mark, each.ends_sentence) for each in espeak.clauses(text, language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_corpus_has_the_same_clauses_and_marks(espeak, piper, language):
    texts = [text for text in [*CORPUS, *EUROPEAN.get(language, ())] if "\0" not in text and "\1" not in text]

    for text, theirs in zip(texts, piper.clauses(texts, language), strict=True):
        assert ends(theirs) == ends(read(espeak, text, language)), text


@pytest.mark.parametrize("language", ["en-us", "de", "hu", "hi"])
@settings(max_examples=400, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts)
@example(text="Ludwig XIV.")
@example(text="Ludwig XIV. Er")
@example(text="2., a")
@example(text="A.\n\nb")
@example(text="... a. B")
@example(text="what?!\n\n\nB")
@example(text="a, \"b\". 'c'")
def test_any_text_has_the_same_clauses_and_marks(espeak, piper, text, language):
    (theirs,) = piper.clauses([text], language)

    assert ends(theirs) == ends(read(espeak, text, language))


def test_every_character_ends_clauses_as_in_piper(espeak, piper):
    # Unicode 11 is what espeak-ng knows; private and unassigned characters end nothing.
    every = [chr(code) for code in range(0x20, sys.maxunicode) if unicodedata.category(chr(code))[0] in "PSZNM"]
    texts = [f"a{character}b c{character} D{character}" for character in every]

    for start in range(0, len(texts), 500):
        some = texts[start : start + 500]
        for text, theirs in zip(some, piper.clauses(some, "en-us"), strict=True):
            assert ends(theirs) == ends(read(espeak, text, "en-us")), (text, hex(ord(text[1])))


def test_a_clause_ends_where_the_next_one_begins(espeak):
    text = "Héllo, “wörld”. Yes?\n\nNo"

    stops = [each.stop for each in espeak.clauses(text, "en-us")]

    assert ["Héllo, ", "“wörld”. ", "Yes?\n\n", "No"] == [text[a:b] for a, b in zip([0, *stops], stops, strict=False)]


def test_the_clauses_of_cut_words_have_positions_in_the_whole_text(espeak):
    text = f"{'9' * 40}, {'hello' * 20}. Bye."

    stops = [each.stop for each in espeak.clauses(text, "en-us")]

    assert [text.index("hello"), text.index("Bye"), len(text)] == stops


def test_a_clause_that_espeak_would_cut_is_read_in_halves(espeak):
    text = "twenty seven thousand nine hundred " * 30 + "end."

    clauses = espeak.clauses(text.strip(), "en-us")

    phonemes = "".join(each.phonemes for each in clauses)
    assert 30 == phonemes.count("twˈɛnti") and phonemes.endswith("ˈɛnd") and not re.search(r"\S{60}", phonemes)
    assert [False] * (len(clauses) - 1) + [True] == [each.ends_sentence for each in clauses]
    assert all(len(each.phonemes) <= MAX_CLAUSE_PHONEMES for each in clauses)


def test_a_text_does_not_depend_on_the_one_before(espeak):
    alone = read(espeak, "the answer", "en-us")

    for before in ("Hello. A", "He did", "[[x", "a\n", "“Oh"):
        espeak.clauses(before, "en-us")
        espeak.phonemize(before, "de")
        assert alone == read(espeak, "the answer", "en-us")


def test_marks_of_phoneme_input_are_read_as_text(espeak):
    espeak.phonemize("[[h@l'oU]]", "en-us")  # reads phonemes there, as Coqui does

    assert "həlˈoʊ" != read(espeak, "[[h@l'oU]]", "en-us")[0][0]


def test_an_empty_text_is_a_clause_without_a_mark(espeak):
    assert [("", "", True)] == read(espeak, "", "en-us")
