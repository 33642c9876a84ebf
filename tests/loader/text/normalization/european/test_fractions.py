"""loader.text.normalization.european.fractions: halves, mixed numbers, and seasons that are none."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "1½ Stunden", "eineinhalb Stunden"),
        ("de", "1/2 Jahr", "ein halbes Jahr"),
        ("fr", "1½ heure", "une heure et demie"),
        ("es", "1½ horas", "una hora y media"),
        ("it", "1/2 ora", "mezz'ora"),
        ("it", "2½ ore", "due ore e mezza"),
        ("pt", "3/4 de hora", "três quartos de hora"),
        ("pt", "em 3/5", "em três de maio"),
        ("de", "Saison 2023/24", "Saison zweitausenddreiundzwanzig vierundzwanzig"),
        ("es", "120/80", "ciento veinte sobre ochenta"),
        ("fr", "50/50", "cinquante cinquante"),
    ],
)
def test_a_fraction_is_said(language, written, said):
    assert words(said) == words(say(written, language))
