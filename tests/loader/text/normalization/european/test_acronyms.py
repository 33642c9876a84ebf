"""loader.text.normalization.european.acronyms: acronyms are spelled unless they are words."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "Der ADAC, die NATO", "Der A D A C, die NATO"),
        ("fr", "La SNCF et l'OTAN", "La S N C F et l'OTAN"),
        ("de", "5 GB und MP3", "fünf Gigabyte und M P drei"),
        ("es", "NO ENTRAR", "NO ENTRAR"),
        ("de", "20 CHF", "zwanzig Schweizer Franken"),
    ],
)
def test_an_acronym_is_spelled(language, written, said):
    assert words(said) == words(say(written, language))
