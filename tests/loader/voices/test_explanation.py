"""loader.voices.explanation: each written word once, with what is spoken for it, and the ids of the utterances, each once."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.config.settings import load_settings
from loader.text.lexicon.entries import parse_inline_lexicon
from loader.text.lexicon.lexicon import Lexicon
from loader.text.markup.script import parse_plain
from loader.text.markup.ssml import parse_ssml
from loader.voices.catalog import open_catalog
from loader.voices.explanation import ExplainedWord, explain
from loader.voices.voice import SpeechOptions
from ops.benchmarks.readings import readings
from tests.conftest import CACHE
from tests.support.checkpoints import LANGUAGES
from tests.support.piper_voice import write_piper_voice

ALL = list(readings())
LEXICON = tuple(parse_inline_lexicon({"SQL": "sequel", "nguyen": "/wɪn/", "10 km": "ten kay"}))
#: Words, numbers, signs, marks that are and are not read, letters that the embedded voice has no sound for.
PARTS = (
    "one", "SQL", "Nguyen", "$1.50", "1 000 000", "–", "—", "(", ")", "…", "•", "$", "😀", "♪", "Dr.", "5-7", "a.m.", "\u200b",
    "\ue000", "«", "\"", "!", "...", "7" * 90, "abc" * 30, "中文", "10 km", "\n\n", "&amp;", "’", "^",
)  # fmt: skip


@pytest.fixture(scope="module")
def voice(catalogue):
    return catalogue.default


@pytest.fixture(scope="module")
def choir(artifact_of, tmp_path_factory):
    """A voice that reads the letters of three languages."""
    artifact = artifact_of("languages")
    path = tmp_path_factory.mktemp("choir") / "tts_config.yaml"
    path.write_text(f"voices: [{{name: choir, model_path: {artifact}}}]\ncache_dir: {CACHE}\n")
    return open_catalog(load_settings(path), [artifact]).default


@pytest.fixture(scope="module")
def piper(embedded_artifact, tmp_path_factory):
    """A voice that reads as Piper does."""
    folder = tmp_path_factory.mktemp("piper")
    artifact = write_piper_voice(embedded_artifact, folder / "voice")
    path = folder / "tts_config.yaml"
    path.write_text(f"voices: [{{name: piper, model_path: {artifact}}}]\ncache_dir: {CACHE}\n")
    return open_catalog(load_settings(path), [artifact]).default


def explained(voice, content, **options):
    return list(explain(voice, content, SpeechOptions(seed=1, **options)))


def rows(voice, content, **options):
    return [word for sentence in explained(voice, content, **options) for word in sentence.words]


def without_spaces(text):
    return "".join(text.split())


def letters(text):
    """Return what a voice has sounds for; it has none for `©`."""
    return "".join(filter(str.isalnum, text))


def spoken_ids(voice, content, **options):
    """Return the ids of every utterance, without blanks, beginnings and ends."""
    return [
        number
        for _piece, _delivery, found in voice.readings(content, SpeechOptions(seed=1, **options))
        if found
        for number, position in zip(found[0].ids, found[0].positions, strict=True)
        if position is not None
    ]


def require_whole(voice, content, **options):
    """Check that the rows have every written character and every id once and in order."""
    sentences = explained(voice, content, **options)
    for sentence in sentences:
        assert without_spaces(sentence.written) == "".join(without_spaces(word.written) for word in sentence.words)
        assert all(word.written == sentence.written[word.start : word.stop] and word.written for word in sentence.words)
        assert all(one.stop <= other.start for one, other in pairwise(sentence.words))
        assert all(bool(word.ids) <= bool(word.phonemes) for word in sentence.words)
    words = [word for sentence in sentences for word in sentence.words]
    assert spoken_ids(voice, content, **options) == [number for word in words for number in word.ids]
    return sentences


@pytest.mark.parametrize("reading", ALL, ids=[f"{each.language}-{number}" for number, each in enumerate(ALL)])
def test_the_rows_of_a_case_have_each_written_word_and_each_id_once(voice, choir, reading):
    found = require_whole(voice, reading.written)
    assert [*map(without_spaces, reading.written.split())] and found
    language = {"en": "en", "fr": "fr-fr", "pt": "pt-br"}.get(reading.language)
    if language:
        sentences = require_whole(choir, reading.written, language=LANGUAGES[language])
        said = " ".join(sentence.normalized for sentence in sentences)
        assert letters(said) == letters(" ".join(word.spoken for each in sentences for word in each.words))


@pytest.mark.parametrize("reading", ALL, ids=[f"{each.language}-{number}" for number, each in enumerate(ALL)])
def test_the_rows_of_a_case_are_whole_for_a_piper_voice(piper, reading):
    require_whole(piper, reading.written)
    require_whole(piper, reading.written, normalize=False)


def test_a_piper_voice_reads_a_price_as_a_whole(piper):
    words = rows(piper, "Dr. Who paid $3.50, no?", normalize=False)

    assert [
        ("Dr.", "dˈɑːktɚ."), ("Who", "hˌuː"), ("paid", "pˈeɪd"), ("$3.50,", "dˈɑːlɚ θɹˈiː pɔɪnt fˈaɪv zˈiəɹoʊ,"),
        ("no?", "nˈoʊ?"),
    ] == [(word.written, word.phonemes) for word in words]  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(["", " ", " ", ". "])), min_size=1, max_size=14),
    st.booleans(),
    st.booleans(),
)
def test_the_rows_of_any_text_have_each_written_word_and_each_id_once(voice, parts, normalize, has_lexicon):
    text = "".join(part + end for part, end in parts)
    require_whole(voice, text, normalize=normalize, lexicon=LEXICON if has_lexicon else ())


def test_a_row_says_what_is_spoken_for_a_word_and_where_that_comes_from(voice):
    (sentence,) = explained(voice, "The SQL server of Nguyen costs $1.50 (net) — now.", lexicon=LEXICON)

    assert "The sequel server of Nguyen costs one dollar fifty, net, now." == sentence.normalized
    assert [
        ("The", "The", "ðə", "voice"), ("SQL", "sequel", "sˈiːkwəl", "lexicon"), ("server", "server", "sˈɜːvɚɹ", "voice"),
        ("of", "of", "ʌv", "voice"), ("Nguyen", "Nguyen", "wɪn", "lexicon"), ("costs", "costs", "kˈɔsts", "voice"),
        ("$1.50", "one dollar fifty,", "wˈʌn dˈɑːlɚ fˈɪfti,", "normalization"), ("(net) —", "net,", "nˈɛt,", "normalization"),
        ("now.", "now.", "nˈaʊ.", "voice"),
    ] == [(word.written, word.spoken, word.phonemes, word.source) for word in sentence.words]  # fmt: skip


def test_ids_are_those_of_the_phonemes_with_marks_and_spaces(voice):
    symbols = {number: symbol for symbol, number in voice.parts.open().front_end._facts.ids.items()}

    assert ["hˈaɪ, ", "ðˈɛɹ."] == ["".join(symbols[number] for number in word.ids) for word in rows(voice, "Hi, there.")]


def test_words_without_a_sound_are_rows_without_phonemes(voice):
    one, other = explained(voice, "One ♪ ^ two. • •")

    assert [("One", "One", "voice"), ("♪ ^", "", "voice"), ("two.", "two.", "voice")] == [
        (word.written, word.spoken, word.source) for word in one.words
    ]
    assert ((), "") == (one.words[1].ids, one.words[1].phonemes)
    assert [("• •", "", "", (), "voice")] == [
        (word.written, word.spoken, word.phonemes, word.ids, word.source) for word in other.words
    ]


def test_a_text_without_any_sound_is_explained(voice):
    assert [ExplainedWord("---", 0, 3, "", "", (), "normalization")] == rows(voice, "---")


def test_markup_is_named_even_if_a_lexicon_has_the_word(voice):
    script = parse_ssml(
        "<speak>The <sub alias='SQL'>W3C</sub> <phoneme ph='təˈmɑːtoʊ'>tomato</phoneme> "
        "<say-as interpret-as='characters'>AB</say-as> of SQL and <sub alias='one'>I</sub>-SQL</speak>"
    )
    words = rows(voice, script, lexicon=LEXICON)

    assert [
        ("The", "The", "voice"), ("W3C", "sequel", "markup"), ("tomato", "tomato", "markup"), ("AB", "A, B", "markup"),
        ("of", "of", "voice"), ("SQL", "sequel", "lexicon"), ("and", "and", "voice"), ("I-SQL", "one-sequel", "markup"),
    ] == [(word.written, word.spoken, word.source) for word in words]  # fmt: skip
    assert "təˈmɑːtoʊ" == words[2].phonemes
    assert spoken_ids(voice, script, lexicon=LEXICON) == [number for word in words for number in word.ids]


def test_a_pause_inside_a_sentence_divides_no_row(voice):
    script = parse_plain("One [pause:1s] two three. [pause:2s]", pauses=True, max_silence_s=math.inf)
    (sentence,) = explained(voice, script)

    assert ["One", "two", "three."] == [word.written for word in sentence.words]
    assert spoken_ids(voice, script) == [number for word in sentence.words for number in word.ids]


def test_a_number_that_is_read_in_several_parts_is_one_row(voice):
    number, word = rows(voice, "9" * 84 + " more")

    assert ("9" * 84, 84) == (number.written, number.spoken.count("nine"))
    assert ("more", "more", "voice") == (word.written, word.spoken, word.source)


def test_text_that_is_not_normalized_is_read_by_the_voice(voice):
    (word,) = rows(voice, "$1.50", normalize=False)

    assert ("$1.50", "$1.50", "voice") == (word.written, word.spoken, word.source)
    assert "dˈɑːlɚ" in word.phonemes


def test_phonemes_of_a_lexicon_have_no_effect_on_a_voice_of_letters(choir, monkeypatch):
    monkeypatch.setattr(choir, "lexicons", {"en": Lexicon("en").extended(LEXICON)})
    words = rows(choir, "Nguyen SQL", language=LANGUAGES["en"])

    found = [(each.written, each.spoken, each.source) for each in words]
    assert [("Nguyen", "Nguyen", "voice"), ("SQL", "sequel", "lexicon")] == found


def test_between_two_pieces_the_checkpoint_is_called(voice):
    calls = []
    list(explain(voice, "One. Two. Three.", SpeechOptions(seed=1), lambda: calls.append(1)))

    assert 3 == len(calls)
