"""Our ids are those of Coqui's own tokenizer, which calls an `espeak-ng` command of the same version."""

import dataclasses
import json

import pytest

from loader.text.front_end import TextFrontEnd
from loader.text.sentences import LONG_SENTENCE_CHARACTERS, split_sentences
from loader.voices.catalog import open_catalog
from loader.voices.voice import SpeechOptions
from tests.loader.text.corpus import CORPUS, LANGUAGES
from tests.loader.text.programs import run_module


@pytest.fixture(scope="session")
def coqui(joe_coqui_release, with_espeak):
    """Coqui's ids of the corpus, and of a few texts in other languages."""
    wanted = json.dumps({"texts": CORPUS, "languages": LANGUAGES})
    config = joe_coqui_release / "config.json"
    return json.loads(run_module("tests.loader.text.coqui_ids", config, env=with_espeak, given=wanted))


def our_ids(front_end, text):
    return front_end.number(text, front_end.read(text, "en-us")).ids


def test_coqui_uses_its_own_phonemizer_and_our_version_of_espeak(coqui):
    assert coqui["is_coquis"], coqui["phonemizer"]
    assert "1.52.0" == coqui["espeak"]


def test_the_corpus_has_no_duplicates():
    assert len(CORPUS) == len(set(CORPUS))


#: Words that are too long for espeak-ng, which loses their ends: ours are split.
CUT = ["abc" * 40, "hello" * 20, "ha" * 50, "a1" * 30]


def test_the_ids_of_every_text_are_those_of_coqui_except_for_split_words(coqui, front_end):
    differing = [text for text, ids in zip(CORPUS, coqui["ids"], strict=True) if our_ids(front_end, text) != ids]

    assert CUT == differing


def test_earlier_texts_do_not_affect_later_ones(coqui, front_end):
    backwards = [our_ids(front_end, text) for text in reversed(CORPUS)]

    assert [our_ids(front_end, text) for text in CORPUS] == backwards[::-1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_languages_have_coquis_phonemes(coqui, opened_joe_coqui, espeak, language):
    facts = dataclasses.replace(opened_joe_coqui.manifest.text, phonemizers={language: ("espeak", language)})
    front_end = TextFrontEnd(facts, [language], opened_joe_coqui.buffers, espeak)

    assert coqui["phonemes"][language] == [front_end.phonemes(text, language) for text in LANGUAGES[language]]


def test_a_voice_without_normalization_has_coquis_ids(coqui, joe_coqui_settings, joe_coqui_artifact, front_end):
    """Of texts of one sentence and one clause: others are spoken in parts, each with a beginning and an end."""
    voice, differing, same = open_catalog(joe_coqui_settings, [joe_coqui_artifact]).default, [], 0
    for text, ids in zip(CORPUS, coqui["ids"], strict=True):
        whole = [text.strip()] == list(split_sentences(text, "en")) and len(text) <= LONG_SENTENCE_CHARACTERS
        if not whole or text in CUT or not front_end.is_audible(front_end.read(text, "en-us")):
            continue
        spoken = [found[0].ids for *_, found in voice.readings(text, SpeechOptions(1, normalize=False)) if found]
        same += 1
        if spoken != [our_ids(front_end, text.strip())] or (text == text.strip() and spoken != [ids]):
            differing.append(text)

    assert [] == differing
    assert same > 200
