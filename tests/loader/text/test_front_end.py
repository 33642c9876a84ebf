"""loader.text.front_end: Coqui's cleaners and punctuation without torch, with unexpected texts."""

import dataclasses
import random

import pytest

from loader.text.espeak import EspeakError
from loader.text.front_end import TextFrontEnd, without_region
from tests.loader.children import answer_of
from tests.loader.text.corpus import CORPUS

OPEN_FRONT_END = """
import json, sys
from pathlib import Path
from loader.artifacts.artifact import open_artifact
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd

def opened():
    artifact = open_artifact(Path(sys.argv[1]))
    return TextFrontEnd(artifact.manifest.text, artifact.manifest.voice.languages, artifact.buffers, Espeak())

def ids(front_end):
    (reading,) = front_end.utterances("Dr. Smith's 2nd test, at $3.50?", "en-us")
    return ids
"""


@pytest.fixture
def character_front_end(opened_joe_coqui, espeak):
    """The front end of a voice that reads letters, without blanks and end symbols."""
    facts = dataclasses.replace(
        opened_joe_coqui.manifest.text, cleaner="english_cleaners", phonemizers={},
        ids={symbol: row for row, symbol in enumerate("_abcdefghijklmnopqrstuvwxyz ,.")},
        add_blank=False, add_bos_eos=False,
    )  # fmt: skip
    return TextFrontEnd(facts, ["en"], opened_joe_coqui.buffers, espeak)


def test_numbers_and_titles_are_spelled_out(front_end):
    assert "doctor Who has three dollars fifty cents" == front_end.clean("Dr. Who has $3.50", "en-us")


def test_punctuation_stays_between_phonemes(front_end):
    assert "həlˈoʊ, wˈɜːld! jˈɛs." == front_end.phonemes("hello, world! yes.", "en-us")


def test_blanks_and_ends_surround_every_symbol(front_end, opened_joe_coqui):
    facts = opened_joe_coqui.manifest.text

    assert [
        facts.bos_id, facts.blank_id, facts.ids["a"], facts.blank_id, facts.ids["b"], facts.blank_id, facts.eos_id,
    ] == front_end.number("", "ab").ids  # fmt: skip


def test_a_symbol_that_the_voice_does_not_have_is_left_out(front_end):
    assert front_end.number("", "ab").ids == front_end.number("", "a😀b你").ids


def test_an_empty_text_has_end_symbols_only(front_end, opened_joe_coqui):
    facts = opened_joe_coqui.manifest.text

    assert [facts.bos_id, facts.blank_id, facts.eos_id] == front_end.number("", "").ids


@pytest.mark.parametrize("phonemes", ["a", "ˈaɪ", "...ə", "1"])
def test_a_letter_is_audible(front_end, phonemes):
    assert front_end.is_audible(phonemes)


@pytest.mark.parametrize("phonemes", ["", " ", "...", "?!", "你", "😀", "ж", "-,'", "^"])
def test_marks_and_unknown_letters_are_not_audible(front_end, phonemes):
    assert not front_end.is_audible(phonemes)


def test_the_cleaner_gets_the_language_without_its_region():
    assert ["en", "zh", "fr", ""] == [without_region(language) for language in ("en-us", "zh-cn", "fr", "")]


def test_a_character_voice_reads_letters(character_front_end):
    cleaned = character_front_end.clean("Dr. No & 2 Men", "en")

    assert "doctor no and two men" == cleaned == character_front_end.phonemes(cleaned, "en")
    assert [1, 2, 27, 3] == character_front_end.number("", "ab c!").ids


def test_without_a_cleaner_text_is_unchanged(opened_joe_coqui, espeak):
    facts = dataclasses.replace(opened_joe_coqui.manifest.text, cleaner=None)

    assert "Dr. 5" == TextFrontEnd(facts, ["en"], opened_joe_coqui.buffers, espeak).clean("Dr. 5", "en")


def test_an_unknown_language_is_an_error_when_the_voice_is_opened(opened_joe_coqui, espeak):
    facts = dataclasses.replace(opened_joe_coqui.manifest.text, phonemizers={"en": ("espeak", "xx-none")})

    with pytest.raises(EspeakError, match="xx-none"):
        TextFrontEnd(facts, ["en"], opened_joe_coqui.buffers, espeak)


@pytest.mark.parametrize("text", ["1" * 40 + "th", "the " + "9" * 300 + "rd of May"])
def test_an_ordinal_without_a_name_is_spoken_as_written(front_end, text):
    assert text == front_end.clean(text, "en-us")
    assert front_end.is_audible(front_end.phonemes(text, "en-us"))


@pytest.mark.parametrize(
    "cleaner",
    [
        "basic_cleaners", "transliteration_cleaners", "basic_german_cleaners", "basic_turkish_cleaners",
        "english_cleaners", "phoneme_cleaners", "multilingual_phoneme_cleaners", "french_cleaners",
        "italian_cleaners", "portuguese_cleaners", "chinese_mandarin_cleaners", "multilingual_cleaners", "no_cleaners",
        "uroman_cleaners",
    ],
)  # fmt: skip
def test_every_cleaner_accepts_every_text(opened_joe_coqui, espeak, cleaner):
    facts = dataclasses.replace(opened_joe_coqui.manifest.text, cleaner=cleaner)
    front_end = TextFrontEnd(facts, ["en"], opened_joe_coqui.buffers, espeak)

    cleaned = [front_end.clean(text, "en") for text in [*CORPUS, *random_texts(300)]]

    assert all(isinstance(text, str) for text in cleaned)


def test_random_texts_of_numbers_and_marks_have_ids(front_end):
    for text in random_texts(500):
        assert front_end.number(text, front_end.read(text, "en-us")).ids


def test_torch_and_the_real_package_are_not_imported(joe_coqui_artifact):
    loaded, names = answer_of(
        OPEN_FRONT_END
        + """
ids(opened())
heavy = ("torch", "TTS", "onnxruntime", "librosa", "scipy")
loaded = sorted(name for name in sys.modules if name.split(".")[0] in heavy)
print(json.dumps([loaded, len(sys.modules)]))
""",
        joe_coqui_artifact,
    )

    assert [] == loaded
    assert names < 1000


def test_the_real_package_stays_imported_if_it_was(joe_coqui_artifact):
    assert [True, True, True] == answer_of(
        OPEN_FRONT_END
        + """
from loader.engines.compat.coqui_package import import_coqui
alone = ids(opened())
import_coqui()
import TTS
import TTS.tts.utils.text.cleaners as cleaners
together = ids(opened())
same = [sys.modules["TTS"] is TTS, sys.modules["TTS.tts.utils.text.cleaners"] is cleaners]
print(json.dumps([alone == together, *same]))
""",
        joe_coqui_artifact,
    )


def random_texts(count):
    random_of = random.Random(4)
    alphabet = [*"0123456789,.$£¥€-:;!?%&'\"()[]<> \n\t", "th", "st", "rd", "1" * 40, "Mr.", "st.", "am", "é", "你", "😀"]
    for _ in range(count):
        yield "".join(random_of.choices(alphabet, k=random_of.randrange(80)))


@pytest.mark.parametrize("text", ["...and then", "\u201cHello world", "\u2014 and so on", "\u00bfWhat else"])
def test_a_word_after_a_mark_is_not_lost(front_end, text):
    """Coqui's own front end has no phonemes here, and would leave a silent gap in a longer text."""
    (reading,) = front_end.utterances(text, "en-us")
    bare = text.lstrip(".\u201c\u2014\u00bf ")

    assert front_end.read(bare, "en-us") == reading.phonemes
    assert text == reading.text
