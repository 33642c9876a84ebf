"""loader.text.normalization.european.times: hours have a gender, and minutes are said."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "9.30 Uhr", "neun Uhr dreißig"),
        ("de", "12:30:15 Uhr", "zwölf Uhr dreißig und fünfzehn Sekunden"),
        ("fr", "21h15", "vingt et une heures quinze"),
        ("fr", "0h05", "zéro heure cinq"),
        ("es", "la 1:00", "la una"),
        ("es", "a las 21:15", "a las veintiuna y quince"),
        ("es", "11:45 p. m.", "once y cuarenta y cinco de la noche"),
        ("it", "alle 1:30", "all'una e trenta"),
        ("it", "alle 20:06", "alle venti e zero sei"),
        ("pt", "às 2:00", "às duas"),
        ("pt", "às 20:08", "às vinte horas e oito"),
        ("pt", "9–17 h", "nove a dezassete horas"),
    ],
)
def test_a_time_is_said(language, written, said):
    assert words(said) == words(say(written, language))
