"""loader.text.normalization.spokenform_library: the library's passes without its maps, and what is imported late."""

import subprocess
import sys

import pytest
from spokenform import PreparationConfig, prepare
from spokenform.number_words import cardinal

from loader.text.normalization.spokenform_library import library_of

TEXTS = {
    "en": "On May 3, 2024 at 9:05 pm Dr. Lee paid $1,234.56 for 12 kg of 3/4 inch nails, i.e. 50% of it, and 1234 more.",
    "de": "Am 3.5.2024 um 9:05 Uhr kaufte Dr. Lee ca. 1.234 km Draht für 27,50 €, z. B. 7,5 % davon.",
    "fr": "Le 3 mai 2024 à 9h05, M. Lee a payé 1 234,56 € pour 12 kg de clous, soit 50 %.",
    "es": "El 3 de mayo de 2024 a las 9:05 el Dr. Lee pagó 1.234,56 € por 12 kg, el 50 %.",
    "it": "Il 3 maggio 2024 alle 9:05 il dott. Lee ha pagato 1.234,56 € per 12 kg, il 50 %.",
    "pt": "Em 3 de maio de 2024 às 9:05 o Dr. Lee pagou 1.234,56 € por 12 kg, 50 %.",
    "cs": "Dne 3. 5. 2024 v 9:05 zaplatil 1 234,56 Kč za 12 kg, tj. 50 %.",
    "ar": "12 كم", "sv": "Kl. 9.05 betalade han 1 234 kr för 12 kg.",
}  # fmt: skip


def replaced(text, language):
    parts, place = [], 0
    for start, stop, new in library_of(language).replacements(text):
        assert place <= start <= stop
        parts += [text[place:start], new]
        place = stop
    return "".join([*parts, text[place:]])


@pytest.mark.parametrize("language", TEXTS)
def test_the_passes_say_what_the_whole_library_says(language):
    config = PreparationConfig(
        language, use_spacy=False, normalize_literals=True, normalize_unicode=False, long_number_mode="cardinal",
        registered_acronym_mode="spell",
    )  # fmt: skip

    assert prepare(TEXTS[language], config=config).spoken_text == replaced(TEXTS[language], language)


def test_spaces_at_both_ends_stay():
    assert " fifty percent " == replaced(" 50% ", "en")


@pytest.mark.parametrize("written", ["301.024", "301024"])
def test_a_german_number_of_thousands_that_ends_in_one_is_spelled_right(written):
    assert "dreihunderteintausendvierundzwanzig" == library_of("de").cardinal(301_024)
    assert "dreihunderteintausendvierundzwanzig Kilometer" == replaced(f"{written} km", "de")
    assert "Es sind dreihunderteintausendvierundzwanzig Leute." == replaced(f"Es sind {written} Leute.", "de")


def test_a_text_without_anything_to_read_has_no_replacements():
    assert [] == library_of("en").replacements("hello world")


def test_an_unknown_language_is_a_value_error():
    with pytest.raises(ValueError, match="Unsupported language 'xx'"):
        library_of("xx")


def test_the_numbers_of_chinese_are_imported_when_one_is_read():
    program = (
        "import sys; from loader.text.normalization.spokenform_library import library_of; library_of('en').cardinal(21);"
        "assert 'cn2an.an2cn' not in sys.modules;"
        "assert '二十一' == library_of('zh').cardinal(21); assert 'cn2an.an2cn' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


LANGUAGES = ("de", "en", "es", "fr", "is", "it", "ja", "ko", "nl", "pl", "pt", "sv", "uk", "zh")
ONE_BY_ONE = """
import sys
from loader.text.normalization.spokenform_library import library_of

numbers = [0, 21, 71, 1234]
for language in sys.argv[1:]:
    print(language, *(library_of(language).cardinal(number) for number in numbers), sep="\\t")
print("numeralform.renderers.hu" in sys.modules)
"""


def test_the_numbers_of_a_language_do_not_depend_on_the_import_of_the_others():
    done = subprocess.run([sys.executable, "-c", ONE_BY_ONE, *LANGUAGES], capture_output=True, text=True, check=True)
    *lines, has_others = done.stdout.splitlines()

    assert "False" == has_others
    assert [[each, *(cardinal(number, each) for number in (0, 21, 71, 1234))] for each in LANGUAGES] == [
        line.split("\t") for line in lines
    ]
