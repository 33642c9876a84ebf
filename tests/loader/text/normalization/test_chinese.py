"""Chinese: what wetext leaves as written or reads wrong."""

import random
import re

import pytest

from tests.loader.text.normalization.test_readings import say

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}


def value(said):
    """Return the number that Chinese numerals say."""
    total = below_wan = digit = 0
    for each in said:
        if each in _DIGITS:
            digit = _DIGITS[each]
        elif each in _UNITS:
            below_wan, digit = below_wan + (digit or 1) * _UNITS[each], 0
        else:
            total, below_wan, digit = (total + below_wan + digit) * (10**4 if each == "万" else 10**8), 0, 0
    return total + below_wan + digit


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("￥1,234元", "一千二百三十四元"),
        ("¥1234.5", "一千二百三十四点五元"),
        ("$12345万", "一万二千三百四十五万美元"),
        ("他们以2-1获胜", "他们以二比一获胜"),
        ("版本2.0.1", "版本二点零点一"),
        ("密码是4821", "密码是四八二一"),
        ("60-70%", "百分之六十到百分之七十"),
        ("1½杯", "一又二分之一杯"),
        ("info@abc.com", "info艾特abc点com"),
    ],
)
def test_a_value_is_said_as_meant(written, spoken):
    assert say(written, "zh").replace("两百", "二百") == spoken


@pytest.mark.parametrize("sentence", ["有{}人。", "价格¥{}。", "共{}元。", "有{}本书"])
def test_a_number_keeps_its_value(sentence):
    draw, wrong = random.Random(5), []
    for digits in [2, 4, 6, 8] * 10:
        number = draw.randrange(10**digits)
        written = sentence.format(draw.choice([str(number), f"{number:,}"]))
        spoken = say(written, "zh")
        if value(re.search("[零一二两三四五六七八九十百千万亿]+", spoken)[0]) != number:
            wrong.append((written, spoken))

    assert [] == wrong
