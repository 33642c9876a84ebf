"""loader.text.piper_front_end: the phonemes and ids of piper-tts 1.8.0, and where its espeak-ng of April 2026 differs from ours.

Both have the data of our espeak-ng here; with Piper's own some words of some languages are pronounced otherwise. What Piper's
program makes otherwise is removed from both sides by `comparable`, or is in a text that `is_read_otherwise`.
"""

import dataclasses
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from piper.phoneme_ids import phonemes_to_ids

from loader.errors import UnreadableTextError
from loader.text.espeak import EspeakError
from loader.text.front_end import without_region
from loader.text.lexicon.lexicon import Pronunciation
from loader.text.long_words import split_long_words
from loader.text.piper_front_end import PiperFrontEnd
from loader.text.sentences import PIECE_CHARACTERS, UTTERANCE_PHONEMES
from tests.loader.text.corpus import CORPUS, LANGUAGES
from tests.loader.text.crashing import CRASHING, UNREADABLE
from tests.loader.text.european import EUROPEAN
from tests.loader.text.piper_reader import PiperReader
from tests.support.piper_voice import facts_of, packaged_config

#: By Piper's names.
EVERY = ("en-us", "en-gb-x-rp", "de", "fr", "es", "es-419", "it", "pt-br", "pl", "ru", "hu", "nb", "tr", "ar", "vi", "cmn", "cs")
#: In which a sound has the same form in both.
SAME = ("en-gb-x-rp", "fr", "es", "pl", "tr", "vi", "cs")
#: In French, espeak-ng reads `lives` in English, as a verb or a noun by a state of its second language that it never sets.
UNCERTAIN = "Dr. Who lives on Baker St. in London."
WORDS = (
    "the", "a", "answer", "of", "Of", "read", "Mr.", "Dr.", "St.", "U.S.", "a.m.", "e.g.", "etc.", "1", "21", "1,234", "7,50",
    "$3.50", "3.14", "12:30", "5%", "50-60", "IV", "don't", "rock'n'roll", "\"quoted\"", "“quoted”", "(so)", "[x]",
    "well-known", "-", "–", "—", "…", "...", "?", "!", "?!", ";", ":", ",", "NASA", "iPhone", "café", "Straße", "naïve",
    "привет", "世界", "&", "@", "#1", "C++", "http://x.org/a?b=c", "me@x.org", "\n", "\n\n", "*", "_", "zz", "Go", "we",
)  # fmt: skip
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)


@pytest.fixture(scope="module")
def piper():
    with PiperReader() as reader:
        yield reader


@pytest.fixture(scope="module")
def open_piper(espeak):
    """Open the front end of a voice with the packaged symbols, and other keys in its file."""

    def open_piper(language="en-us", **keys):
        return PiperFrontEnd(facts_of(language, **keys), espeak)

    return open_piper


@pytest.fixture(scope="module")
def joe(open_piper):
    return open_piper()


def texts_in(language):
    of_language = {without_region(name): texts for name, texts in [*LANGUAGES.items(), *EUROPEAN.items()]}
    every = [*CORPUS, *of_language.get(without_region(language), ())]
    return [text for text in every if len(text) <= PIECE_CHARACTERS and not is_read_otherwise(text) and text != UNCERTAIN]


def is_read_otherwise(text):
    """Whether Piper's espeak-ng reads symbols of it by other rules, or we cut a long word, or it has control characters."""
    is_symbol = any(unicodedata.category(each) in ("So", "Sk", "Cc") and each != "\n" for each in text)
    return is_symbol or split_long_words(text) != text or any("\u0590" <= each <= "\u05ff" for each in text)


def comparable(phonemes):
    """Return phonemes without what depends on the sound before them: Piper's espeak-ng ignores it (2026-11-30).

    So it writes `ʲ` between two vowels in English, and `r` for `ɾ` in German and Italian.
    """
    return "".join(phonemes).replace("ʲ", "").replace("r", "ɾ")


def phonemes_of(front_end, text, language):
    return [each.phonemes for each in front_end.utterances(text, language) if each]


def heard(sentences):
    return [each for each in sentences if any(map(str.isalnum, each))]


@pytest.mark.parametrize("language", EVERY)
def test_the_sentences_and_phonemes_are_pipers(open_piper, piper, language):
    front_end, texts = open_piper(language), texts_in(language)
    assert len(texts) > 500

    for text, theirs in zip(texts, piper.phonemes(texts, language), strict=True):
        ours = phonemes_of(front_end, text, language)
        assert list(map(comparable, heard(theirs))) == list(map(comparable, ours)), text


@pytest.mark.parametrize("language", SAME)
def test_the_ids_are_pipers(open_piper, piper, language):
    front_end, texts = open_piper(language), texts_in(language)
    ids = packaged_config()["phoneme_id_map"]

    for text, theirs in zip(texts, piper.phonemes(texts, language), strict=True):
        ours = [each for each in front_end.utterances(text, language) if each]
        if all(comparable(each) == "".join(each) for each in [*theirs, *(each.phonemes for each in ours)]):
            assert [phonemes_to_ids(each, ids) for each in heard(theirs)] == [each.ids for each in ours], text


@pytest.mark.parametrize("language", ["en-us", "de", "fr", "ru"])
@settings(max_examples=300, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts.filter(lambda text: len(text.strip()) <= PIECE_CHARACTERS))
def test_any_text_is_read_as_piper_reads_it(open_piper, piper, text, language):
    text = text.strip()
    (theirs,) = piper.phonemes([text], language)

    assert list(map(comparable, heard(theirs))) == list(map(comparable, phonemes_of(open_piper(language), text, language)))


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("It costs $3.50, or 1,234.", "ɪt kˈɔsts dˈɑːlɚ θɹˈiː pɔɪnt fˈaɪv zˈiəɹoʊ, ɔːɹ wˈʌn θˈaʊzənd tˈuːhˈʌndɹɪd θˈɜːɾi fˈɔːɹ."),
        ("Wait... what?!", "wˈeɪtwˌʌt?"),
        ("one – two", "wˌʌn; tˈuː"),
    ],
)  # fmt: skip
def test_a_clause_is_whole_and_its_mark_is_kept(joe, text, phonemes):
    assert [phonemes] == phonemes_of(joe, text, "en-us")


def test_the_names_of_other_languages_are_left_out(open_piper):
    assert all("(" not in each for each in phonemes_of(open_piper("ru"), "Привет, my friend!", "ru"))


def test_each_of_espeaks_sentences_is_an_utterance_with_its_own_text(joe):
    text = "Dr. Smith (“Joe.”) left. No?"

    readings = list(joe.utterances(text, "en-us"))

    assert ["Dr.", "Smith (“Joe.”)", "left.", "No?"] == [each.text for each in readings]
    assert all(0 == each.start for each in readings)


def test_every_id_has_the_place_of_its_phoneme(joe):
    (reading,) = joe.utterances("Hello, you", "en-us")

    ids = packaged_config()["phoneme_id_map"]
    assert len(reading.ids) == len(reading.positions)
    assert [(ids[reading.phonemes[place]][0]) for place in reading.positions if place is not None] == [
        number for number, place in zip(reading.ids, reading.positions, strict=True) if place is not None
    ]
    assert reading.phonemes == "".join(reading.phonemes[place] for place in reading.positions if place is not None)


def test_a_phoneme_of_several_ids_has_one_silence_after_it(open_piper):
    ids = {**packaged_config()["phoneme_id_map"], "a": [14, 99]}
    front_end = open_piper(phoneme_id_map=ids)

    assert phonemes_to_ids(list("bað"), ids) == front_end.number("", "bað").ids
    assert [None, None, 0, None, 1, 1, None, 2, None, None] == list(front_end.number("", "bað").positions)


def test_unknown_phonemes_are_left_out_with_their_silence(joe):
    assert joe.number("", "ab").ids == joe.number("", "a😀b你").ids


def test_a_phoneme_map_replaces_phonemes_but_no_marks(open_piper):
    front_end = open_piper(phoneme_map={"h": ["k", "ʰ"], ".": ["!"]})

    assert ["kʰəlˈoʊ."] == phonemes_of(front_end, "Hello.", "en-us")


def test_clusters_of_vowels_are_one_phoneme(open_piper, piper):
    clusters, ids = [["a", "ɪ"], ["o", "ʊ"], ["ɔ", "ɪ"]], {**packaged_config()["phoneme_id_map"], "aɪ": [200], "oʊ": [201]}
    front_end = open_piper(vowel_clusters=clusters, phoneme_id_map=ids)
    text = "I go by the noisy road, alone."

    ((theirs,),) = piper.phonemes([text], "en-us", clusters)
    (reading,) = front_end.utterances(text, "en-us")

    assert phonemes_to_ids(theirs, ids) == reading.ids
    assert {200, 201} < set(reading.ids)


@pytest.mark.parametrize("text", ["Привет, світ!", "Ґанок їжака", "e\u0301té ÉTÉ", "a b", "ﬁn"])
def test_a_voice_of_letters_has_the_ids_of_their_code_points(open_piper, text):
    letters = {letter: [row] for row, letter in enumerate("_^$ !,.abcdefghijklmnopqrstuvwxyzéпривтсґаноїжк\u0301\u0306\u0308")}
    front_end = open_piper("uk", phoneme_type="text", phoneme_id_map=letters)

    (reading,) = front_end.utterances(text, "uk")

    assert phonemes_to_ids(list(unicodedata.normalize("NFD", text)), letters) == reading.ids
    assert () == front_end.symbols


def test_a_voice_of_letters_reads_without_espeak(open_piper):
    front_end = open_piper("xx-unknown", phoneme_type="text")

    assert ["hello"] == phonemes_of(front_end, "hello", "xx-unknown")


def test_a_language_that_espeak_does_not_have_is_an_error(open_piper):
    with pytest.raises(EspeakError, match="xx-unknown"):
        open_piper("xx-unknown")


def test_given_phonemes_replace_those_of_their_range(joe):
    text = "Ask Nguyen, now."

    (reading,) = joe.utterances(text, "en-us", [Pronunciation(4, 10, "wˈɪn")])

    assert "ˈæsk wˈɪn, nˈaʊ." == reading.phonemes
    assert [Pronunciation(4, 10, "wˈɪn")] == reading.given


def test_given_phonemes_join_the_sentences_that_they_cross(joe):
    text = "See Dr. No. Yes."

    readings = list(joe.utterances(text, "en-us", [Pronunciation(4, 10, "nˈoʊ"), Pronunciation(12, 15, "jˈɑː")]))

    assert [("See Dr. No.", "sˈiː nˈoʊ."), ("Yes.", "jˈɑː.")] == [(each.text, each.phonemes) for each in readings]


def test_given_phonemes_are_decomposed_as_all_others(joe):
    (reading,) = joe.utterances("Hello", "en-us", [Pronunciation(0, 5, "ça")])

    assert "c\u0327a" == reading.phonemes


@pytest.mark.parametrize("text", ["...", "?!", "“”", "\u200b", "\n"], ids=["dots", "marks", "quotes", "no width", "line"])
def test_a_text_without_sound_has_no_ids(joe, text):
    assert [None] == list(joe.utterances(text, "en-us"))


@pytest.mark.parametrize("text", ["no end " * 500, "hello" * 400, "7" * 3_000, "one, " * 900, "ça va? " * 300], ids=range(5))
def test_a_long_text_is_read_whole_in_bounded_utterances(joe, text):
    readings = [each for each in joe.utterances(text, "en-us") if each]

    assert len(readings) > 1
    assert all(len(each.ids) <= 2 * UTTERANCE_PHONEMES + 4 for each in readings)
    texts = [each.text for each in readings if not each.start]
    assert "".join(text.split()) == "".join("".join(texts).split())


@pytest.mark.parametrize(("text", "language"), CRASHING)
def test_a_text_that_crashes_espeak_is_read_in_parts(open_piper, text, language):
    front_end = open_piper(language)

    assert not re.search(r"\d|\n", "".join(phonemes_of(front_end, text, language)))
    assert phonemes_of(front_end, "a", language)


def test_a_part_that_crashes_espeak_by_itself_is_named(open_piper):
    for text, part, language in UNREADABLE:
        with pytest.raises(UnreadableTextError, match=re.escape(repr(part))):
            list(open_piper(language).utterances(text, language))


def test_the_settings_of_a_coqui_voice_are_refused(espeak):
    with pytest.raises(ValueError, match="Coqui"):
        PiperFrontEnd(dataclasses.replace(facts_of(), piper=None), espeak)
