"""loader.text.normalization.european.roman: numerals of rulers, centuries and chapters."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "Friedrich II. von Preußen", "Friedrich der zweite von Preußen"),
        ("de", "von Ludwig XIV. gebaut", "von Ludwig dem vierzehnten gebaut"),
        ("de", "Im II. Weltkrieg", "Im zweiten Weltkrieg"),
        ("fr", "Le XVIe arrondissement", "Le seizième arrondissement"),
        ("fr", "François Ier", "François premier"),
        ("es", "siglos XX y XXI", "siglos veinte y veintiuno"),
        ("es", "Isabel II", "Isabel segunda"),
        ("it", "Nel XX secolo", "Nel ventesimo secolo"),
        ("it", "I Promessi Sposi", "I Promessi Sposi"),
        ("pt", "A II Guerra Mundial", "A segunda Guerra Mundial"),
    ],
)
def test_a_roman_numeral_is_said(language, written, said):
    assert words(said) == words(say(written, language))
