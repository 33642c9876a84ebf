"""app.synthesis.voices: which voice a request means if its client knows only OpenAI's names or has only one field."""

import pytest
import yaml

from app.errors import UnknownLanguageRequestedError, UnknownSpeakerRequestedError, UnknownVoiceRequestedError
from app.synthesis.voices import STOCK_VOICES, find_voice, format_voice, resolve_voice
from loader.artifacts.resolve import locate_all
from loader.config.settings import load_settings
from loader.engines.base import Capabilities
from loader.voices.catalog import open_catalog
from loader.voices.speakers import format_speaker
from tests.conftest import CACHE


@pytest.fixture(scope="module")
def catalogue(artifact_of, embedded_artifact, tmp_path_factory):
    """Three voices: the second has one of OpenAI's names as an alias, and the third a name that contains `#`."""
    path = tmp_path_factory.mktemp("naming") / "tts_config.yaml"
    voices = [
        {"name": "joe", "model_path": str(embedded_artifact)},
        {"name": "choir", "model_path": str(artifact_of("languages")), "aliases": ["nova", "tts-1-hd", "Anna"]},
        {"name": "choir#2", "model_path": str(artifact_of("graphemes")), "language": "eo", "aliases": ["ANNA"]},
    ]
    path.write_text(yaml.safe_dump({"voices": voices, "cache_dir": str(CACHE)}))
    settings = load_settings(path)
    return open_catalog(settings, locate_all(settings))


def resolved(catalogue, voice=None, model=None, speaker=None, language=None):
    found = resolve_voice(catalogue, voice, model, speaker, language)
    return format_voice(found.voice.name, format_speaker(found.speaker, found.voice.speakers) if found.voice.speakers else None)


@pytest.mark.parametrize("name", sorted(set(STOCK_VOICES) - {"nova"}))
def test_openais_voices_are_the_default_voice(catalogue, name):
    assert "joe" == resolved(catalogue, name) == resolved(catalogue, name, model="tts-1") == resolved(catalogue)


@pytest.mark.parametrize("name", ["Alloy", "default", "Auto", "tts-1", "TTS-1", "tts-1-1106", "gpt-4o-mini-tts-2025-12-15", " "])
def test_other_words_for_no_voice_are_the_default_voice(catalogue, name):
    assert "joe" == resolved(catalogue, name)
    assert "choir#walter" == resolved(catalogue, name, model="choir")


@pytest.mark.parametrize(
    "voice, model, expected",
    [
        ("nova", None, "choir#walter"),
        ("nova", "joe", "choir#walter"),
        ("choir", "joe", "choir#walter"),
        (None, "choir", "choir#walter"),
        ("", "choir", "choir#walter"),
        ("alloy", "choir", "choir#walter"),
        (None, "tts-1-hd", "choir#walter"),
        (None, "tts-1", "joe"),
        (None, "gpt-4o-mini-tts", "joe"),
        (None, "a-model-of-another-server", "joe"),
        ("choir#Ada", None, "choir#Ada"),
        ("nova#Ada", None, "nova#Ada"),
        ("alloy", "choir#walter", "choir#walter"),
        ("choir#2", None, "choir#2"),
        ("choir#Ada(3)+walter(1)", None, "choir#walter(0.25)+Ada(0.75)"),
        ("Ada+walter", None, "choir#walter(0.5)+Ada(0.5)"),
        ("Ada(2)", None, "choir#Ada"),
        ("choir#", None, "choir#walter"),
        ("CHOIR", "joe", "choir#walter"),
        ("Choir#walter", None, "choir#walter"),
        ("Choir#ADA", None, "choir#Ada"),
        ("TTS-1-HD", "joe", "choir#walter"),
        ("Nova", None, "choir#walter"),
        ("alloy", "JOE", "joe"),
        ("Choir#2", None, "choir#2"),
        ("Anna", None, "choir#walter"),
        ("ANNA", None, "choir#2"),
    ],
)
def test_a_configured_voice_has_precedence_over_a_model_that_names_one(catalogue, voice, model, expected):
    assert expected.replace("nova#", "choir#") == resolved(catalogue, voice, model)


def test_the_speaker_field_has_precedence_over_a_speaker_in_the_voice_name(catalogue):
    assert "choir#walter" == resolved(catalogue, "choir#Ada", speaker="walter")


def test_the_language_selects_the_voice_if_no_name_does(catalogue):
    assert "choir#2" == resolved(catalogue, "alloy", "tts-1", language="eo")
    assert "choir#walter" == resolved(catalogue, "alloy", "choir", language="fr")
    with pytest.raises(UnknownLanguageRequestedError):
        resolved(catalogue, "alloy", "choir", language="eo")


@pytest.mark.parametrize("voice", ["nobody", "nobody#Ada", "tts", "Alloy#Ada", "#", "joe ", "../joe", "anna", "anna#Ada"])
def test_an_unknown_voice_is_refused_with_any_model(catalogue, voice):
    with pytest.raises(UnknownVoiceRequestedError, match="known voices: ANNA, Anna, choir, choir#2, joe, nova, tts-1-hd"):
        resolved(catalogue, voice, "choir")


def test_an_unknown_speaker_of_a_known_voice_is_refused(catalogue):
    with pytest.raises(UnknownSpeakerRequestedError):
        resolved(catalogue, "choir#nobody")


def test_an_empty_name_is_not_known(catalogue):
    assert [None] * 4 == [find_voice(catalogue, name) for name in (None, "", "#", "alloy")]


def test_a_voice_is_resolved_to_the_rows_of_its_speaker_and_language(catalogue):
    found = resolve_voice(catalogue, "choir", speaker="walter", language="fr")

    assert ("choir", "walter") == (found.voice.name, found.voice.speakers[found.speaker])
    assert "fr" in found.voice.languages[found.language]


def test_engines_report_their_capabilities(catalogue):
    assert [Capabilities()] == list({voice.capabilities for voice in catalogue.voices})
