"""loader.text.normalization.european.money: amounts keep their value."""

import pytest

from tests.loader.text.normalization.test_readings import say


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("pt", "$5.000 por dia", "cinco mil dólares por dia"),
        ("pt", "R$ 1.500,25", "mil e quinhentos reais e vinte e cinco centavos"),
        ("es", "$1,500.50", "mil quinientos dólares con cincuenta"),
        ("es", "1.335 €", "mil trescientos treinta y cinco euros"),
        ("it", "1,335 €", "uno virgola tre tre cinque euro"),
        ("it", "10 € per via", "dieci euro per via"),
        ("it", "0,01 €", "un centesimo"),
        ("de", "760 GBP für den Tarif", "siebenhundertsechzig Pfund für den Tarif"),
        ("de", "7,60 € für das Ticket", "sieben Euro sechzig für das Ticket"),
        ("fr", "1 000 000 €", "un million d'euros"),
        ("fr", "2,5 M€", "deux virgule cinq millions d'euros"),
        ("fr", "1 £", "une livre sterling"),
    ],
)
def test_an_amount_is_said_with_its_value(language, written, said):
    assert said == say(written, language)
