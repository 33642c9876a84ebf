"""loader.text.normalization.european.ordinals: ordinal marks, and degrees."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("it", "il 1° e il 2° posto", "il primo e il secondo posto"),
        ("it", "un angolo di 45°", "un angolo di quarantacinque gradi"),
        ("es", "El 3.er piso", "El tercer piso"),
        ("it", "il 45esimo", "il quarantacinquesimo"),
        ("it", "la 28enne", "la ventottenne"),
        ("fr", "Les 1ers", "Les premiers"),
        ("pt", "a 10ª", "a décima"),
        ("es", "la 21.ª", "la vigésima primera"),
    ],
)
def test_an_ordinal_is_said(language, written, said):
    assert words(said) == words(say(written, language))
