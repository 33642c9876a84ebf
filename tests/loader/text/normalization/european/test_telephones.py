"""loader.text.normalization.european.telephones: national numbers digit by digit, French ones in pairs."""

import pytest

from ops.benchmarks.readings import words
from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "Ruf 0171/1234567 an.", "Ruf null eins sieben eins, eins zwei drei vier fünf sechs sieben an."),
        ("fr", "le 04.78.12.34.56", "le zéro quatre, soixante-dix-huit, douze, trente-quatre, cinquante-six"),
        ("fr", "+33 1 23 45 67 89", "plus trente-trois, un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf"),
        ("es", "el 612 345 678", "el seis uno dos, tres cuatro cinco, seis siete ocho"),
        (
            "es",
            "612 345 678 personas",
            "seiscientos doce millones trescientas cuarenta y cinco mil seiscientas setenta y ocho personas",
        ),
        ("pt", "(11) 98765-4321", "um um, nove oito sete seis cinco, quatro três dois um"),
        ("it", "Tel. 12.03.2024", "Telefono dodici marzo duemilaventiquattro"),
        (
            "de",
            "IBAN DE89 3704 0044 0532 0130 00",
            "IBAN D E acht neun, drei sieben null vier, null null vier vier, null fünf drei zwei, null eins drei null, null null",
        ),
    ],
)
def test_a_telephone_number_is_said_in_groups(language, written, said):
    assert words(said) == words(say(written, language))
