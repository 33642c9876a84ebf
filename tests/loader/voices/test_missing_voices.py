"""loader.voices.catalog: a voice that cannot be opened is named, and the others are served."""

import shutil
from pathlib import Path

import pytest
import yaml

from loader.artifacts.resolve import locate_all, locate_available, verify_all
from loader.config.settings import load_settings
from loader.errors import IntegrityError, LoaderError, ModelNotFoundError, UnavailableVoiceError
from loader.voices.catalog import open_catalog
from tests.conftest import CACHE


@pytest.fixture
def damaged(artifact_of, tmp_path):
    """A copy of a small artifact with one wrong byte."""
    copy = Path(shutil.copytree(artifact_of("graphemes"), tmp_path / "damaged"))
    with (copy / "decode.bin").open("r+b") as file:
        file.write(b"\x55\x55")
    return copy


@pytest.fixture
def settings_of(tmp_path):
    """Return settings of voices by their model directories, in that order."""

    def settings_of(**voices):
        path = tmp_path / "tts_config.yaml"
        listed = [{"name": name, "model_path": str(model), "aliases": [f"{name}-2"]} for name, model in voices.items()]
        path.write_text(yaml.safe_dump({"voices": listed, "cache_dir": str(CACHE)}))
        return load_settings(path)

    return settings_of


def served(settings):
    return open_catalog(settings, locate_available(settings), serve_others=True)


def test_a_voice_without_a_directory_and_a_damaged_one_are_missing_and_the_third_is_served(
    settings_of, damaged, embedded_artifact, tmp_path
):
    catalog = served(settings_of(absent=tmp_path / "none", damaged=damaged, joe=embedded_artifact))

    assert ["joe"] == [voice.name for voice in catalog.voices]
    assert ["absent", "damaged"] == list(catalog.missing)
    assert [ModelNotFoundError, IntegrityError] == list(map(type, catalog.missing.values()))
    assert "joe" == catalog.default.name and catalog.default.parts.is_open


@pytest.mark.parametrize("name", ["absent", "absent-2"])
def test_a_missing_voice_is_refused_with_the_reason_by_name_and_alias(settings_of, embedded_artifact, tmp_path, name):
    catalog = served(settings_of(absent=tmp_path / "none", joe=embedded_artifact))

    for resolve in (catalog.voice, catalog.find):
        with pytest.raises(UnavailableVoiceError, match="'absent' is not served: .*none: no such model directory") as caught:
            resolve(name)
    assert ModelNotFoundError.exit_status == caught.value.exit_status


def test_without_one_sound_voice_the_first_reason_is_raised(settings_of, damaged, tmp_path):
    settings = settings_of(damaged=damaged, absent=tmp_path / "none")
    artifacts = locate_available(settings)

    with pytest.raises(IntegrityError):
        open_catalog(settings, artifacts, serve_others=True)
    with pytest.raises(LoaderError):
        verify_all(settings, artifacts)
    with pytest.raises(ModelNotFoundError):
        locate_available(settings_of(absent=tmp_path / "none"))


def test_a_change_of_configuration_can_insist_on_every_voice(settings_of, damaged, embedded_artifact, tmp_path):
    settings = settings_of(damaged=damaged, joe=embedded_artifact)

    with pytest.raises(IntegrityError):
        open_catalog(settings, locate_all(settings))
    with pytest.raises(ModelNotFoundError):
        locate_all(settings_of(joe=embedded_artifact, absent=tmp_path / "none"))


def test_the_sound_voices_are_verified_beside_a_damaged_one(settings_of, damaged, embedded_artifact):
    settings = settings_of(damaged=damaged, joe=embedded_artifact)

    verify_all(settings, locate_available(settings))
