"""Beside any word, unit or sign, a number keeps its digits: read back from the spoken words by text2num."""

import os
import random
import re
import zlib

import pytest

from tests.loader.text.normalization.test_readings import say
from tests.loader.text.normalization.test_values import read_back

#: Of each sentence.
CASES = int(os.environ.get("CHORUS_VALUES", "20")) // 4
SENTENCES = (
    "There are {n} birds.", "He was in {n} then.", "It is {n} km away.", "It weighs {n}kg.", "Room {n} is free.",
    "About {n}% of it.",
    "See #{n} now.", "See No. {n} there.", "A {n}-page book.", "It is {n}x faster.", "Put {n} in {m}.", "Give {n}, {m} back.",
    "Pages {n}–{m} here.",
    "From {n} to {m} it was.", "See Section {n}.7 now.", "There were {n} UK firms.", "See (n = {n}) here.",
    "Add {n}+{m} here.", "It is {n} × {m} here.", "It was -{n} there.", "Team {n} beat {m}.", "The {n} election was held.",
    "It took 3.{n} s.", "{n} was big.", "Code: {n}.", "Bus {n} goes.", "A{n} is here.", "He has {n} CDs.", "Take {n} mg/L of it.",
    "It has {n} sq ft.", "${n} for {m}.", "£{n}-{m} a day.", "{n} EUR or {m} USD.", "We got {n} out of {m}.", "a {n}-{m} vote",
    "{n} m² big", "{n} of {m} in 1987",
)  # fmt: skip


def written_number(draw):
    number = draw.randrange(2, draw.choice([100, 1000, 10**4, 10**6]))
    return draw.choice([str(number), f"{number:,}"])


def digits(text):
    return re.sub(r"\D", "", text)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_number_keeps_its_digits(sentence):
    draw, wrong = random.Random(zlib.crc32(sentence.encode())), []
    for _ in range(CASES):
        written = sentence.format(n=written_number(draw).replace(",", "" if "3." in sentence else ","), m=written_number(draw))
        spoken = say(written, "en")
        if digits(read_back(spoken, "en")) != digits(written):
            wrong.append((written, spoken))

    assert [] == wrong
