"""loader.timing.phones: a letter with its marks is one sound."""

import pytest

from loader.timing.phones import sounds


@pytest.mark.parametrize(
    ("phonemes", "heard"),
    [
        ("həlˈoʊ, wˈɜːld!", ["h", "ə", "l", "ˈo", "ʊ", "w", "ˈɜː", "l", "d"]),
        ("ˌɑː ˈ ɛ̃ː", ["ˌɑː", "ɛ̃ː"]),
        ("tʲˈeː5 ma˥˩", ["tʲ", "ˈeː", "5", "m", "a˥˩"]),
        ("café 42", ["c", "a", "f", "é", "4", "2"]),
        ("コーヒー、ア", ["コー", "ヒー", "ア"]),
        ("ː ...?! — “”", []),
        ("", []),
    ],
)
def test_a_letter_and_its_marks_are_one_sound(phonemes, heard):
    found = list(sounds(phonemes))

    assert heard == [phonemes[sound.start : sound.stop] for sound in found]
    assert all(sound.start <= sound.letter < sound.stop for sound in found)
