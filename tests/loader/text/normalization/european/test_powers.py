"""loader.text.normalization.european.powers: raised and lowered figures."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "10⁶ und 5²", "zehn hoch sechs und fünf hoch zwei"),
        ("fr", "5² et 2³", "cinq au carré et deux au cube"),
        ("es", "CO₂", "C O dos"),
        ("it", "10⁻³", "dieci alla meno tre"),
        ("pt", "5 m²", "cinco metros quadrados"),
    ],
)
def test_figures_are_said(language, written, said):
    assert words(said) == words(say(written, language))
