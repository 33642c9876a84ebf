"""app.cli.inventory: it finds what the loader finds, without opening anything."""

from dataclasses import replace

import pytest

from app.cli.inventory import artifacts, find_voice, release_directory, served_artifact
from loader.artifacts.artifact import ENGINES
from loader.artifacts.resolve import locate_artifact
from loader.errors import ArtifactError, ModelNotFoundError, UnknownVoiceError


def test_it_finds_what_the_loader_serves(settings, embedded_artifact, large_settings, large_artifact, baked, artifact):
    for each, expected in ((settings, embedded_artifact), (large_settings, large_artifact), (baked, artifact)):
        found = served_artifact(each.voices[0], each)

        assert expected == found.directory == locate_artifact(each.voices[0], each)
        assert "onnx" == found.engine


def test_the_artifact_of_another_engine_is_found_but_not_served(baked, artifact):
    voice = replace(baked.voices[0], engine="coqui")

    assert served_artifact(voice, baked) is None
    assert {"onnx": artifact} == artifacts(voice, baked)
    assert set(artifacts(voice, baked)) < set(ENGINES)


def test_a_changed_release_has_no_artifact(baked):
    (baked.path.parent / "release" / "version.txt").write_text("another\n")

    assert {} == artifacts(baked.voices[0], baked)


def test_a_configured_artifact_is_found_without_a_release(baked, artifact):
    voice = replace(baked.voices[0], model_path=str(artifact))

    assert {"onnx": artifact} == artifacts(voice, baked)
    assert release_directory(voice, baked) is None


def test_a_folder_that_is_not_a_model_directory_is_reported(baked, tmp_path):
    voice = replace(baked.voices[0], model_path=str(tmp_path))

    with pytest.raises(ModelNotFoundError, match="no model; a model is config.json with a checkpoint"):
        served_artifact(voice, baked)


@pytest.mark.parametrize("content", ["[]", "[" * 10_000, "9" * 5000])
def test_an_unreadable_manifest_is_reported(baked, tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)

    with pytest.raises(ArtifactError, match="no manifest that this version reads"):
        served_artifact(replace(baked.voices[0], model_path=str(tmp_path)), baked)


def test_voices_are_found_by_alias(baked):
    settings = replace(baked, voices=(replace(baked.voices[0], aliases=("alloy",)),))

    assert settings.voices[0] is find_voice(settings, "alloy") is find_voice(settings, "release")
    with pytest.raises(UnknownVoiceError, match="no voice named 'echo'; known voices: alloy, release"):
        find_voice(settings, "echo")
