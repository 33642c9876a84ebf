"""loader.text.normalization.european.german: ordinals in their case, years, compounds."""

import pytest

from loader.text.normalization.normalizer import normalizer_of
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("in der 2. Halbzeit", "in der zweiten Halbzeit"),
        ("die 2. Halbzeit", "die zweite Halbzeit"),
        ("das 2. und 3. Kapitel", "das zweite und dritte Kapitel"),
        ("am 1. und 15. des Monats", "am ersten und fünfzehnten des Monats"),
        ("3. Platz", "dritter Platz"),
        ("1. Klasse", "erste Klasse"),
        ("1. Zutaten vorbereiten", "eins, Zutaten vorbereiten"),
        ("am 3.5.24", "am dritten Mai vierundzwanzig"),
        ("Kapitel 2.1", "Kapitel zwei Punkt eins"),
    ],
)
def test_an_ordinal_has_the_ending_of_its_case(written, said):
    assert said == say(written, "de")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Seit 1998 ist Ruhe.", "Seit neunzehnhundertachtundneunzig ist Ruhe."),
        ("1500 Exemplare", "eintausendfünfhundert Exemplare"),
        ("Raum 1205 ist frei.", "Raum eintausendzweihundertfünf ist frei."),
        ("die 1980er Jahre", "die neunzehnhundertachtziger Jahre"),
    ],
)
def test_a_year_is_said_in_hundreds_and_a_quantity_is_not(written, said):
    assert said == say(written, "de")


def test_a_number_at_the_end_of_a_sentence_is_not_an_ordinal():
    assert ["Ich habe 5.", "Dann ging er."] == list(normalizer_of("de").sentences("Ich habe 5. Dann ging er."))
    assert ["Der 3. Mai"] == list(normalizer_of("de").sentences("Der 3. Mai"))


def test_the_word_before_a_number_keeps_its_letters():
    assert "Artikel eins Absatz eins G G" == say("Art. 1 Abs. 1 GG", "de")
