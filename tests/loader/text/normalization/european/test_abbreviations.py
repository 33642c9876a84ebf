"""loader.text.normalization.european.abbreviations: abbreviations are said in full, and do not end sentences."""

import pytest

from loader.text.normalization.european.abbreviations import goes_on
from loader.text.normalization.normalizer import normalizer_of
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("de", "Inh. Fa. Schulz z. B. in Köln"),
        ("fr", "c.-à-d. Paris, p. 5 et M. Noir"),
        ("es", "p. ej. el Sr. D. Juan en la pág. 5"),
        ("it", "p. es. il Sig. Rossi a pag. 5"),
        ("pt", "p. ex. na Av. Brasil, n.º 5"),
    ],
)
def test_an_abbreviation_does_not_end_a_sentence(language, written):
    assert [written] == list(normalizer_of(language).sentences(written))


def test_a_capital_after_the_last_word_of_a_list_begins_a_sentence():
    assert not goes_on("Birnen usw.", "Dann kam er.", "de")
    assert goes_on("Hunde bzw.", "Katzen", "de")


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("fr", "3 enfants et la mer.", "trois enfants et la mer."),
        ("es", "3 barcos en el mar.", "tres barcos en el mar."),
        ("it", "Ho 3 amici gen.", "Ho tre amici gen."),
        ("de", "Es sind 3 Leute usw.", "Es sind drei Leute und so weiter."),
    ],
)
def test_a_word_before_the_last_full_stop_is_not_an_abbreviation_of_a_month_or_day(language, written, said):
    assert said.split() == say(written, language).replace(" .", ".").split()


@pytest.mark.parametrize("language", ["es", "pt"])
def test_an_initial_inside_a_name_is_not_a_title(language):
    assert "D. Rockefeller" in say("John D. Rockefeller 3", language)


def test_a_language_without_a_table_has_no_abbreviations():
    assert not goes_on("z. B.", "in", "nl")
