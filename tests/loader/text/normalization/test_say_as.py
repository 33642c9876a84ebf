"""loader.text.normalization.say_as: a text is read as its markup asks for, in every language with rules."""

import pytest

from loader.text.markup.script import SayAs
from loader.text.markup.values import INTERPRETATIONS
from loader.text.normalization.normalizer import normalizer_of
from loader.text.normalization.words import WORDS
from loader.text.passages import Change, Passage
from ops.benchmarks.readings import words

LANGUAGES = [*WORDS, "zh"]


def read(written, interpretation, language="en", order="", before="", after=""):
    start, stop = len(before), len(before) + len(written)
    passage = Passage(before + written + after, changes=[Change(start, stop, say_as=SayAs(interpretation, order))])
    return "".join(piece.text.text for piece in normalizer_of(language).spoken(passage))


@pytest.mark.parametrize(
    ("interpretation", "written", "said"),
    [
        ("characters", "ABC1", "A, B, C, one"),
        ("characters", "a b", "A, B"),
        ("characters", "e\u0301x", "É, X"),
        ("characters", "ß", "ß"),
        ("characters", "x-1_2", "X, dash, one, underscore, two"),
        ("characters", "a.b@c", "A, point, B, at, C"),
        ("digits", "2024", "two zero two four"),
        ("digits", "A12 34", "A one two three four"),
        ("cardinal", "2024", "two thousand twenty-four"),
        ("cardinal", "1,234", "one thousand two hundred thirty-four"),
        ("cardinal", " 1 234 ", "one thousand two hundred thirty-four"),
        ("cardinal", "-5", "minus five"),
        ("cardinal", "+5", "plus five"),
        ("cardinal", "2.5", "two point five"),
        ("cardinal", "many", "many"),
        ("ordinal", "3", "third"),
        ("ordinal", "21st", "twenty first"),
        ("telephone", "+49 30 123-456", "plus four nine, three zero, one two three, four five six"),
        ("telephone", "1-800-FLOWERS", "one, eight zero zero, FLOWERS"),
        ("telephone", "*100#", "one zero zero, hash"),
        ("telephone", "none", "none"),
        ("time", "5:30", "five thirty"),
        ("time", "5:30pm", "five thirty P M"),
        ("time", "2:30:15", "two hours thirty minutes fifteen seconds"),
        ("time", "1'21\"", "one minute twenty one seconds"),
        ("time", "1\u203221\u2033", "one minute twenty one seconds"),
        ("time", "5'", "five minutes"),
        ("time", "noon", "noon"),
    ],
)
def test_a_text_is_read_in_english(interpretation, written, said):
    assert words(said) == words(read(written, interpretation))


MAY_2024 = {
    "en": ("May third twenty twenty four", "May third", "May twenty twenty four"),
    "de": ("dritter Mai zweitausendvierundzwanzig", "dritter Mai", "Mai zweitausendvierundzwanzig"),
    "fr": ("trois mai deux mille vingt quatre", "trois mai", "mai deux mille vingt quatre"),
    "es": ("tres de mayo de dos mil veinticuatro", "tres de mayo", "mayo de dos mil veinticuatro"),
    "it": ("tre maggio duemilaventiquattro", "tre maggio", "maggio duemilaventiquattro"),
    "pt": ("três de maio de dois mil e vinte e quatro", "três de maio", "maio de dois mil e vinte e quatro"),
    "zh": ("二零二四年五月三日", "五月三日", "二零二四年五月"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_date_of_any_order_is_one_day(language):
    whole, of_a_year, month = MAY_2024[language]
    for order, written in (
        ("mdy", "5/3/2024"), ("dmy", "3.5.2024"), ("dmy", "03-05-2024"), ("ymd", "2024-05-03"), ("ymd", "2024 5 3"),
        ("", "2024-05-03"), ("ydm", "2024/3/5"), ("yyyymmdd", "20240503"), ("mdy", "05032024"),
        ("mm/dd/yyyy", "05/03/2024"), ("dmy", "3. 5. 2024"),
    ):  # fmt: skip
        assert words(whole) == words(read(written, "date", language, order)), order
    for order, written in (("md", "5/3"), ("dm", "3/5"), ("dm", "3.5.")):
        assert words(of_a_year) == words(read(written, "date", language, order)), order
    for order, written in (("my", "5/2024"), ("ym", "2024-05")):
        assert words(month) == words(read(written, "date", language, order)), order


@pytest.mark.parametrize(
    ("language", "order", "written", "said"),
    [
        ("en", "y", "1984", "nineteen eighty-four"),
        ("de", "y", "1984", "neunzehnhundertvierundachtzig"),
        ("zh", "y", "1984", "一九八四年"),
        ("en", "m", "5", "May"),
        ("en", "mdy", "5/3/24", "May third twenty four"),
        ("de", "dmy", "31/12/99", "einunddreißigster Dezember neunundneunzig"),
        ("fr", "dmy", "1/5/2024", "premier mai deux mille vingt quatre"),
        ("it", "dm", "1/5", "primo maggio"),
        ("pt", "dm", "1/5", "primeiro de maio"),
    ],
)
def test_a_year_alone_a_short_year_and_a_first_day(language, order, written, said):
    assert words(said) == words(read(written, "date", language, order))


def test_the_words_around_a_date_count():
    assert "am dritten Mai zweitausendvierundzwanzig." == read("5/3/2024", "date", "de", "mdy", before="am ", after=".")


@pytest.mark.parametrize(
    ("order", "written"),
    [("mdy", "13/45/2024"), ("mdy", "0/3/2024"), ("md", "5/3/2024"), ("dmy", "3 May 2024"), ("xyz", "5/3/2024"),
     ("dmy", "tomorrow"), ("dmy", "1/2/3"), ("y", "later"), ("", "later"), ("mdy", "5/3/20245"), ("dmy", "")],
)  # fmt: skip
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_date_in_that_order_is_read_as_without_markup(language, order, written):
    plain = "".join(piece.text.text for piece in normalizer_of(language).spoken(Passage(written)))

    assert plain == read(written, "date", language, order)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_afternoon_has_24_hours_outside_of_english(language):
    if language != "en":
        assert read("17:30", "time", language) == read("5:30 p.m.", "time", language) == read("5:30PM", "time", language)
        assert read("0:05", "time", language) == read("12:05am", "time", language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("interpretation", INTERPRETATIONS)
def test_no_digit_is_left(language, interpretation):
    for written in ("7", "42", "2024", "555-1234", "5:30", "2024-05-03", "1'21\"", "-3", "1.234", "1,5", "A1"):
        assert not any(character.isdigit() for character in read(written, interpretation, language)), written


@pytest.mark.parametrize("language", WORDS)
def test_a_mark_before_decimals_is_not_one_of_thousands(language):
    mark = WORDS[language].decimal_mark
    other = "," if mark == "." else "."

    assert read("1234", "cardinal", language) == read(f"1{other}234", "cardinal", language)
    assert words(WORDS[language].decimal)[0] in words(read(f"1{mark}234", "cardinal", language))


@pytest.mark.parametrize("language", ["nl", "pl", "ru"])
@pytest.mark.parametrize("interpretation", INTERPRETATIONS)
def test_a_language_without_rules_loses_nothing(language, interpretation):
    assert read("word", interpretation, language).replace(", ", "").lower() == "word"
    if interpretation not in ("telephone", "digits"):
        assert read("-5", interpretation, language).strip() != read("5", interpretation, language).strip()
    assert "+" in read("+5", "telephone", language)


@pytest.mark.parametrize("interpretation", INTERPRETATIONS)
def test_a_language_that_the_library_does_not_know_keeps_its_digits(interpretation):
    assert "4 2" == " ".join(read("42", interpretation, "xx").replace(",", "").replace("42", "4 2").split())


@pytest.mark.parametrize("interpretation", INTERPRETATIONS)
@pytest.mark.parametrize("written", ["", " ", "\u0301", "😀", "1" * 100, "((", "\u0663\u0664", "&amp;"])
def test_any_text_is_read(interpretation, written):
    assert isinstance(read(written, interpretation), str)
