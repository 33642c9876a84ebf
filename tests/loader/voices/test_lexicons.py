"""loader.voices.lexicons: which entries a voice has, and in which order of precedence."""

import pytest
import yaml

from loader.artifacts.resolve import locate_all
from loader.config.settings import load_settings
from loader.errors import ConfigError
from loader.text.normalization.aligned import AlignedText
from loader.voices.catalog import open_catalog
from loader.voices.lexicons import read_lexicons
from loader.voices.voice import SpeechOptions
from tests.conftest import CACHE

FILES = {
    "en.tsv": "SQL\tsequel\nnginx\tengine X\nNguyen\t/wɪn/\nklick\t/ꞎa/\nclic\t/ʘa/",
    "more.tsv": "SQL\tmore\nwifi\twhy fie",
    "joe.tsv": "SQL\tjoe",
    "eo.tsv": "SQL\tSoKuLo\nnginx\t/x/",
    "fr.pls": """<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" xml:lang="fr-FR">
                 <lexeme><grapheme>SQL</grapheme><alias>essecuelle</alias></lexeme></lexicon>""",
    "de.tsv": "SQL\tEsskuell",
}


@pytest.fixture(scope="module")
def configured(embedded_artifact, artifact_of, tmp_path_factory):
    """Voices of one language, of a language that the configuration names, and of three languages, with lexicons."""
    folder = tmp_path_factory.mktemp("lexicons")
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    common = {"en.tsv": "en-GB", "more.tsv": "EN", "eo.tsv": "eo", "fr.pls": "fr_CA", "de.tsv": "de"}
    voices = [
        {"name": "joe", "model_path": str(embedded_artifact), "lexicons": [{"path": "joe.tsv", "language": "en"}]},
        {"name": "robot", "model_path": str(artifact_of("graphemes")), "language": "eo"},
        {"name": "choir", "model_path": str(artifact_of("languages"))},
    ]
    speech = {"lexicons": [{"path": path, "language": language} for path, language in common.items()]}
    path = folder / "tts_config.yaml"
    path.write_text(yaml.safe_dump({"voices": voices, "speech": speech, "cache_dir": str(CACHE)}))
    return load_settings(path)


@pytest.fixture(scope="module")
def lexicons(configured):
    return read_lexicons(configured)


@pytest.fixture(scope="module")
def catalogue(configured, lexicons):
    return open_catalog(configured, locate_all(configured), lexicons=lexicons)


def said(voice, language, text):
    return voice.lexicons[language].apply(AlignedText.of(text, 0, len(text)))[0].text


def test_a_voice_has_the_lexicons_of_its_languages_whatever_their_regions(catalogue):
    joe, robot, choir = catalogue.voices

    assert {"en"} == set(joe.lexicons)
    assert {"en", "fr"} == set(choir.lexicons)
    assert "eo" in robot.lexicons
    assert "essecuelle nginx" == said(choir, "fr", "SQL nginx")


def test_a_later_file_comes_before_an_earlier_one_and_the_voices_own_before_all(catalogue):
    joe, _, choir = catalogue.voices

    assert "joe engine X why fie" == said(joe, "en", "SQL nginx wifi")
    assert "more engine X why fie" == said(choir, "en", "SQL nginx wifi")


def test_voices_share_what_was_read_of_a_file(catalogue):
    joe, _, choir = catalogue.voices

    assert joe.lexicons["en"].tables[:2] == choir.lexicons["en"].tables


def test_a_voice_that_reads_letters_skips_phonemes(catalogue):
    assert "SoKuLo nginx" == said(catalogue.voice("robot"), "eo", "SQL nginx")


def test_a_language_that_the_configuration_names_has_its_lexicon_when_the_voice_speaks(catalogue):
    robot = catalogue.voice("robot")
    texts = [segment.reading.text for segment in robot.segments("La SQL.", SpeechOptions(1))]

    assert ["La SoKuLo."] == texts


def test_the_lexicons_of_a_voice_are_spoken_and_captions_show_what_is_written(catalogue):
    joe = catalogue.voice("joe")
    (segment,) = joe.segments("Ask Nguyen of SQL.", SpeechOptions(1))

    assert "wɪn" in segment.reading.phonemes
    assert "joe" in segment.reading.text
    assert "Ask Nguyen of SQL." == segment.written


def test_files_of_a_language_that_no_voice_speaks_are_unused(lexicons, catalogue, configured):
    assert [configured.speech.lexicons[-1]] == lexicons.unused(catalogue.voices)


def test_phonemes_that_a_voice_does_not_have_are_found_by_file_and_term(lexicons, catalogue, configured):
    found = [list(lexicons.unknown_symbols(voice)) for voice in catalogue.voices]

    assert [[(configured.speech.lexicons[0], {"klick": ["ꞎ"]})], [], []] == found


def test_files_and_entries_are_counted(lexicons):
    assert (6, 12) == (lexicons.count, lexicons.entries)


def test_an_error_lists_the_problems_of_all_files(configured, tmp_path):
    (tmp_path / "a.tsv").write_text("SQL\n")
    path = tmp_path / "tts_config.yaml"
    files = [{"path": name, "language": "en"} for name in ("a.tsv", "b.tsv")]
    path.write_text(yaml.safe_dump({"model_path": "/none", "speech": {"lexicons": files}}))
    with pytest.raises(ConfigError) as raised:
        read_lexicons(load_settings(path))

    first, second = raised.value.problems
    assert first.startswith(f"{tmp_path}/a.tsv: line 1: 'SQL' has 1 column")
    assert second.startswith(f"{tmp_path}/b.tsv: it cannot be read")
