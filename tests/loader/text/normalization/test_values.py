"""A value is never changed: random numbers, prices, dates and times, read back from the spoken words by text2num."""

import os
import random
import re
import zlib

import pytest
from text_to_num import alpha2digit

from tests.loader.text.normalization.test_readings import say

#: Of each kind and language; `CHORUS_VALUES=420` makes 10,080 in all.
CASES = int(os.environ.get("CHORUS_VALUES", "20"))
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
#: For a number, a price, a date and a time.
SENTENCES = {
    "en": ("There are {} people.", "I paid {}.", "On {} it rained.", "At {} we left."),
    "de": ("Es gibt {} Leute.", "Ich zahlte {}.", "Am {} regnete es.", "Um {} Uhr ging es los."),
    "fr": ("Il y a {} personnes.", "J'ai payé {}.", "Le {} il pleuvait.", "À {} nous partons."),
    "es": ("Hay {} libros.", "Pagué {}.", "El {} llovió.", "A las {} salimos."),
    "it": ("Ci sono {} libri.", "Ho pagato {}.", "Il {} pioveva.", "Alle {} partiamo."),
    "pt": ("Tem {} livros.", "Paguei {}.", "Em {} choveu.", "Às {} saímos."),
}
GROUPS = {"en": ",", "de": ".", "fr": "\u202f", "es": ".", "it": ".", "pt": "."}


def read_back(spoken, language):
    """Return the spoken words with digits for numbers."""
    plain = spoken.replace(" oh ", " zero ")
    if language == "en":
        plain = re.sub(r"\band\b", " ", plain.replace("-", " "))
    # text2num 3.1 knows neither Italian elisions nor the Spanish short form.
    plain = plain.replace("centott", "centoott").replace("veintiún", "veintiuno")
    plain = re.sub("all'una", "alle uno", plain, flags=re.IGNORECASE)
    # Cents, and not hundredths.
    plain = re.sub(r"\bcentesim[oi]\b", "cent", plain)
    return alpha2digit(plain, language, 0.0)


def values(text):
    return [int(each) for each in re.findall(r"\d+", text.replace(",", "").replace(".", ""))]


def grouped(number, language):
    return f"{number:,}".replace(",", GROUPS[language])


def number_case(draw, language):
    number = draw.choice([draw.randrange(100), draw.randrange(10**4), draw.randrange(10**6), draw.randrange(10**9)])
    return draw.choice([str(number), grouped(number, language)]), [number]


def price_case(draw, language):
    whole, hundredths = draw.choice([draw.randrange(1, 10), draw.randrange(100), draw.randrange(10**6)]), draw.randrange(100)
    number = draw.choice([str(whole), grouped(whole, language)])
    written = f"{draw.choice('€$£')}{number}.{hundredths:02}" if language == "en" else f"{number},{hundredths:02} €"
    return written, [each for each in (whole, hundredths) if each]


def date_case(draw, language):
    day, month, year = draw.randrange(2, 29), draw.randrange(1, 13), draw.randrange(1100, 2100)
    name = MONTHS[language].split()[month - 1]
    forms = {
        "en": (f"{name} {day}, {year}", f"{day} {name} {year}", f"{year}-{month:02}-{day:02}"),
        "de": (f"{day}.{month}.{year}", f"{day}. {name} {year}"),
        "es": (f"{day} de {name} de {year}", f"{day}/{month}/{year}"),
        "pt": (f"{day} de {name} de {year}", f"{day}/{month}/{year}"),
    }  # fmt: skip
    return draw.choice(forms.get(language, (f"{day} {name} {year}", f"{day}/{month}/{year}"))), [day, name, year]


def time_case(draw, language):
    hour, minute = draw.randrange(24), draw.randrange(60)
    forms = (f"{hour}:{minute:02}", f"{hour}h{minute:02}" if language in ("fr", "pt") else f"{hour:02}:{minute:02}")
    is_hundreds = language == "en" and hour > 12 and not minute
    return draw.choice(forms), [each for each in ((hour * 100,) if is_hundreds else (hour, minute)) if each]


def is_year(text, year):
    """Whether the year is there, whole or in two pairs."""
    pairs = (f"{year // 100} {year % 100}", f"{year // 100} 0 {year % 100}", f"{year // 100} {year % 100:02}", f"{year // 100}00")
    return any(re.search(rf"\b{each}\b", text) for each in (str(year), *pairs))


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("kind", range(4), ids=["number", "price", "date", "time"])
def test_a_value_is_never_changed(language, kind):
    draw, wrong = random.Random(zlib.crc32(f"{language}{kind}{CASES}".encode())), []
    for _ in range(CASES):
        written, expected = (number_case, price_case, date_case, time_case)[kind](draw, language)
        sentence = SENTENCES[language][kind].format(written)
        spoken = say(sentence, language)
        text = read_back(spoken, language)
        if kind == 2:
            day, month, year = expected
            is_day = re.search(rf"\b{day}(?:st|nd|rd|th|º|°|er)?\b", text)
            is_right = is_day and month.lower() in text.lower() and is_year(text, year)
        else:
            is_right = [each for each in values(text) if each] == [each for each in expected if each]
        if not is_right:
            wrong.append((sentence, spoken, text))

    assert [] == wrong
