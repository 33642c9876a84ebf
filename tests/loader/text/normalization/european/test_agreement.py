"""loader.text.normalization.european.agreement: whole numbers agree with the noun after them."""

import pytest

from loader.text.normalization.european.agreement import counted, is_feminine
from loader.text.normalization.numerals import Numerals
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "number", "noun", "said"),
    [
        ("es", 21, "libros", "veintiún"),
        ("es", 21, "casas", "veintiuna"),
        ("es", 500, "mujeres", "quinientas"),
        ("es", 1, "problema", "un"),
        ("pt", 2, "casas", "duas"),
        ("pt", 2, "dias", "dois"),
        ("pt", 2000, "mulheres", "duas mil"),
        ("pt", 1, "viagem", "uma"),
        ("it", 1, "zio", "uno"),
        ("it", 1, "amica", "un'"),
        ("it", 1, "notte", "una"),
        ("it", 1, "libro", "un"),
        ("it", 21, "libri", "ventuno"),
        ("fr", 21, "personnes", "vingt et une"),
        ("fr", 1, "musée", "un"),
        ("fr", 81, "pages", "quatre-vingt-une"),
        ("fr", 11, "pages", "onze"),
    ],
)
def test_a_number_agrees_with_its_noun(language, number, noun, said):
    assert said == counted(number, noun, Numerals(language))


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "Capítulo 1 trata de 3 mayores", "Capítulo uno trata de tres mayores"),
        ("fr", "La page 21 dit", "La page vingt et un dit"),
    ],
)
def test_a_number_that_names_something_does_not_agree_with_the_next_word(language, written, said):
    assert said == say(written, language)


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("it", "2 settimane", "due settimane"),
        ("es", "2 marcas", "dos marcas"),
        ("fr", "3 octets", "trois octets"),
        ("es", "5 dicen", "cinco dicen"),
    ],
)
def test_the_beginning_of_a_noun_is_not_an_abbreviated_month(language, written, said):
    assert said == say(written, language)


def test_the_gender_is_that_of_the_ending_or_of_a_list():
    assert is_feminine("Ciudades", "es")
    assert not is_feminine("sistemas", "pt")
    assert is_feminine("mani", "it") is False
