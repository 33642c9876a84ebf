"""The ids of texts in many languages are those of Coqui's own tokenizer with the same settings."""

import json
import unicodedata

import pytest

from tests.loader.text.programs import run_module
from tests.loader.text.text_voices import CHARACTERS, PUNCTUATION, voices

VOICES = voices()
VOICES_ALPHABET = set(CHARACTERS + PUNCTUATION)


@pytest.fixture(scope="session")
def coqui(with_segmenter):
    """Coqui's own ids, by voice and language, in the order of the texts."""
    return json.loads(run_module("tests.loader.text.text_voices", "native", env=with_segmenter))


def our_ids(front_end, text, language):
    return front_end.number(text, front_end.read(text, language)).ids


@pytest.mark.parametrize("name", VOICES)
def test_the_ids_of_every_text_are_those_of_coqui(coqui, open_front_end, name):
    front_end = open_front_end(name)
    for language, texts in VOICES[name]["texts"].items():
        ours = [our_ids(front_end, text, language) for text in texts]
        differing = [text for text, own, theirs in zip(texts, ours, coqui[name][language], strict=True) if own != theirs]

        assert [] == differing


@pytest.mark.parametrize("name", VOICES)
def test_every_text_is_spoken(open_front_end, name):
    front_end = open_front_end(name)

    assert all(
        any(front_end.utterances(text, language))
        for language, texts in VOICES[name]["texts"].items()
        for text in texts
        # The voice of Chinese characters knows eleven characters.
        if name != "zh-cn, characters" or "北" in text
    )


@pytest.mark.parametrize("name", [name for name, voice in VOICES.items() if voice["use_phonemes"]])
def test_the_ids_cover_nearly_all_phonemes(open_front_end, name):
    front_end = open_front_end(name)
    phonemes = "".join(
        front_end.phonemes(front_end.clean(text, language), language)
        for language, texts in VOICES[name]["texts"].items()
        for text in texts
    )

    assert len(VOICES_ALPHABET & set(phonemes)) >= 0.85 * len(set(phonemes)), set(phonemes) - VOICES_ALPHABET


@pytest.mark.parametrize("language", ["de", "fr-fr", "zh-cn", "ja-jp", "ko-kr"])
def test_a_voice_of_several_phonemizers_reads_each_language_with_its_own(open_front_end, language):
    single = open_front_end(f"{language}, {'own' if language in ('de', 'fr-fr') else 'no'} cleaner")
    several = open_front_end("several phonemizers")

    for text in VOICES["several phonemizers"]["texts"][language]:
        assert single.phonemes(text, language) == several.phonemes(text, language)


def test_a_single_phonemizer_reads_every_language_of_its_voice(open_front_end):
    two = open_front_end("one phonemizer, two languages")

    assert two.phonemes("Bonjour", "de") == two.phonemes("Bonjour", "fr-fr")
    assert two.phonemes("Bonjour", "fr-fr") != open_front_end("fr-fr, own cleaner").phonemes("Bonjour", "fr-fr")


@pytest.mark.parametrize(
    ("name", "language", "text", "phonemes"),
    [
        ("ja-jp, no cleaner", "ja-jp", "今日は、学校へ行きます。", "kyo:wa,gaqko:eikimasu."),
        ("ko-kr, no cleaner", "ko-kr", "안녕하세요.", unicodedata.normalize("NFD", "안녕하세요.")),
        ("zh-cn, no cleaner", "zh-cn", "你好。", "ni3xaʌ3 。"),
    ],
)
def test_phonemes_match_the_pronunciation(open_front_end, name, language, text, phonemes):
    assert phonemes == open_front_end(name).phonemes(text, language)
