"""loader.artifacts.requirements: which voices need torch and Coqui, decided without them; and what is said without them."""

import importlib.metadata
import shutil
import sys

import pytest

from loader.artifacts import installation
from loader.artifacts.requirements import torch_needed_to
from loader.config.settings import load_settings
from loader.errors import IntegrityError, MissingPackageError, ModelNotFoundError
from tests.conftest import ROOT
from tests.support.checkpoints import TINY_SIZE


@pytest.fixture
def needed(tmp_path):
    """Return a function to what the voice of a configuration with its own cache needs torch for."""

    def needed(model_path, extra=""):
        path = tmp_path / "tts_config.yaml"
        path.write_text(f"model_path: {model_path}\ncache_dir: {tmp_path / 'cache'}\n{extra}")
        settings = load_settings(path)
        return torch_needed_to(settings.voices[0], settings)

    return needed


def test_the_embedded_voice_needs_none(needed):
    assert [None, None] == [needed("embedded/joe"), needed("embedded/joe", "device: cuda")]


def test_an_artifact_needs_none_for_the_onnx_engine(needed, embedded_artifact, artifact_of):
    assert needed(embedded_artifact) is None
    assert "speak by the coqui engine" == needed(artifact_of("family-glow_tts-1"))


def test_a_checkpoint_needs_them_until_it_is_baked(needed, tiny_release, artifact_of, tmp_path):
    before, artifact = needed(tiny_release), artifact_of(TINY_SIZE)
    (tmp_path / "cache" / "artifacts").mkdir(exist_ok=True)
    shutil.copytree(artifact, tmp_path / "cache" / "artifacts" / artifact.name)

    assert ["bake its checkpoint", None] == [before, needed(tiny_release)]
    assert "bake its checkpoint" == needed(tiny_release, "use_cache: false")
    assert "speak by the coqui engine" == needed(tiny_release, "engine: coqui")


def test_a_checkpoint_that_was_baked_by_a_full_install_is_known_without_coqui(monkeypatch):
    pinned = importlib.metadata.version("coqui-tts")
    found = importlib.metadata.version

    def without_coqui(name):
        if name == "coqui-tts":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "version", without_coqui)

    assert pinned == installation.coqui_version()


def test_a_model_that_is_still_to_be_downloaded_needs_them(needed):
    assert "download the model" == needed("tts_models/en/ljspeech/vits")


def test_a_missing_or_damaged_model_is_reported(needed, tiny_release, tmp_path):
    damaged = shutil.copytree(tiny_release, tmp_path / "damaged")
    (damaged / "config.json").write_text("{}")

    with pytest.raises(ModelNotFoundError):
        needed(tmp_path / "none")
    with pytest.raises(IntegrityError):
        needed(damaged)


def test_the_command_names_another_environment_than_the_checkouts(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/an environment")
    elsewhere = installation.install_command()
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))

    assert f"CHORUS_VENV='/an environment' {ROOT}/ops/serve --full --install" == elsewhere
    assert f"{ROOT}/ops/serve --full --install" == installation.install_command()


def test_without_chorus_and_coqui_the_error_names_the_command(monkeypatch):
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(MissingPackageError, match="baking a checkpoint needs torch and coqui-tts, which are not installed; run "):
        installation.coqui_version()
