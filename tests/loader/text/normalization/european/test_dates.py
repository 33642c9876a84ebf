"""loader.text.normalization.european.dates: numeric dates, and those that the library cuts."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "el 9 de mayo del 2002", "el nueve de mayo del dos mil dos"),
        ("es", "el 3 de mayo desde Roma", "el tres de mayo desde Roma"),
        ("es", "enero de 49 a. C.", "enero de cuarenta y nueve antes de Cristo"),
        ("fr", "mardi 14/02", "mardi quatorze février"),
        ("fr", "1 mai", "premier mai"),
        ("fr", "15 juin", "quinze juin"),
        ("it", "1 maggio", "primo maggio"),
        ("pt", "15-08-1985", "quinze de agosto de mil novecentos e oitenta e cinco"),
    ],
)
def test_a_date_is_said(language, written, said):
    assert words(said) == words(say(written, language))
