"""loader.bake.tokenizer: which text settings of a voice can be baked."""

import pytest

from loader.bake.tokenizer import copy_segmenter, text_facts
from loader.errors import BakeError, FetchError, UnsupportedModelError
from loader.text.languages import FEATURES_FILE, WEIGHTS_FILE
from tests.loader.text.programs import run_module


class Symbols:
    vocab = ["_", "a", "b"]
    blank_id, bos_id, eos_id = 0, 1, 2


class Reader:
    """A phonemizer made by Coqui."""

    def __init__(self, name, language):
        self._name = name
        self.language = language

    def name(self):
        return self._name


class Several:
    def __init__(self, **readers):
        self.lang_to_phonemizer = readers


class Tokenizer:
    text_cleaner, add_blank, use_eos_bos, characters = None, True, False, Symbols()

    def __init__(self, phonemizer):
        self.phonemizer = phonemizer


class Languages:
    def __init__(self, names):
        self.name_to_id = {name: row for row, name in enumerate(names)}


class Model:
    """The parts of Coqui's model that are used."""

    def __init__(self, phonemizer, *languages):
        self.tokenizer = Tokenizer(phonemizer)
        self.language_manager = Languages(languages)


def test_a_voice_of_characters_has_no_phonemizer():
    assert {} == text_facts(Model(None, "en")).phonemizers


def test_a_single_phonemizer_reads_every_language():
    facts = text_facts(Model(Reader("espeak", "en-us"), "en", "fr-fr"))

    assert {"en": ("espeak", "en-us"), "fr-fr": ("espeak", "en-us")} == facts.phonemizers


def test_each_language_has_its_own_of_several_phonemizers():
    readers = {"de": Reader("espeak", "de"), "ja-jp": Reader("ja_jp_phonemizer", "ja-jp")}
    facts = text_facts(Model(Several(**readers), "ja-jp", "de"))

    assert {"ja-jp": ("ja_jp_phonemizer", "ja-jp"), "de": ("espeak", "de")} == facts.phonemizers


def test_a_voice_without_a_named_language_has_its_phonemizer():
    assert {"": ("espeak", "en-us")} == text_facts(Model(Reader("espeak", "en-us"))).phonemizers


def test_a_language_without_a_phonemizer_is_refused_with_the_languages_that_have_one():
    with pytest.raises(BakeError, match="language 'fr-fr' has no phonemizer.*datasets.*de"):
        text_facts(Model(Several(de=Reader("espeak", "de")), "de", "fr-fr"))


def test_a_java_phonemizer_is_refused_with_the_reason():
    with pytest.raises(UnsupportedModelError, match="be_phonemizer.*Java"):
        text_facts(Model(Reader("be_phonemizer", "be"), "be"))


@pytest.fixture
def segmenter_home(tmp_path, monkeypatch):
    """An empty folder in which the segmenter looks for its model."""
    from spacy_pkuseg.config import config

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(config, "pkuseg_home", str(home))
    return home


def test_the_segmenters_model_is_copied_into_the_artifact(segmenter_home, tmp_path):
    run_module("tests.loader.text.segmenter", segmenter_home)
    target = tmp_path / "target"
    target.mkdir()

    copy_segmenter(target)

    assert [FEATURES_FILE, WEIGHTS_FILE] == sorted(path.name for path in target.iterdir())
    assert 0 == (target / WEIGHTS_FILE).stat().st_size % 8


def test_a_model_that_cannot_be_downloaded_is_an_error_with_its_address(segmenter_home, tmp_path, monkeypatch):
    from spacy_pkuseg.config import config

    # An address without a name and port: refused before anything is sent.
    monkeypatch.setitem(config.model_urls, "spacy_ontonotes", "http://[::1]:0/spacy_ontonotes.zip")

    with pytest.raises(FetchError, match="cannot be downloaded.*unpack http.*spacy_ontonotes.zip into"):
        copy_segmenter(tmp_path)


def test_a_damaged_model_is_an_error(segmenter_home, tmp_path):
    folder = segmenter_home / "spacy_ontonotes"
    folder.mkdir()
    (folder / "features.msgpack").write_bytes(b"")
    (folder / "weights.npz").write_bytes(b"not a zip")

    with pytest.raises(FetchError, match="cannot be read.*bake the voice again"):
        copy_segmenter(tmp_path)
