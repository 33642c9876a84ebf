"""A thin voice that bakes in seconds, in as many spoilt copies as tests ask for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loader.config import load_settings
from loader.release import HASH_FILE
from loader.sources import locate_artifact
from loader.store import Store
from tests.checkpoints import TINY_SIZE
from tests.conftest import CACHE, ROOT


@pytest.fixture(scope="session")
def tiny_release():
    """A sealed Coqui VITS directory of 7 MB, with random weights."""

    def make(directory):
        subprocess.run([sys.executable, "-m", "tests.checkpoints", TINY_SIZE, directory], cwd=ROOT, check=True)

    return Store(CACHE / "releases", proof=HASH_FILE).publish(TINY_SIZE, make)


@pytest.fixture
def release(tiny_release, tmp_path):
    """A copy of the thin release, to be spoilt."""
    return Path(shutil.copytree(tiny_release, tmp_path / "release"))


@pytest.fixture(scope="session")
def tiny_artifact(tiny_release, tmp_path_factory):
    """The thin voice, baked."""
    path = tmp_path_factory.mktemp("tiny") / "tts_config.yaml"
    path.write_text(f"model_path: {tiny_release}\ncache_dir: {CACHE}\n")
    settings = load_settings(path)
    return locate_artifact(settings.voices[0], settings)
