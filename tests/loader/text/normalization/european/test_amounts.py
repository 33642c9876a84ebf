"""loader.text.normalization.european.amounts: magnitudes, and what is after a slash."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("fr", "20 €/mois", "vingt euros par mois"),
        ("es", "20 €/mes", "veinte euros al mes"),
        ("it", "5 mg/kg", "cinque milligrammi per chilogrammo"),
        ("pt", "R$ 2,5 milhões", "dois vírgula cinco milhões de reais"),
        ("es", "3,5 mil M€", "tres coma cinco mil millones de euros"),
        ("de", "850,- €", "achthundertfünfzig Euro"),
        ("fr", "1,5 M d'habitants", "un virgule cinq millions d'habitants"),
    ],
)
def test_an_amount_is_said(language, written, said):
    assert words(said) == words(say(written, language))
