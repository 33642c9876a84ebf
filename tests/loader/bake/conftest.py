"""A small voice that bakes in seconds, and copies of it that tests may damage."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loader.releases.release import HASH_FILE
from loader.storage.store import Store
from tests.conftest import CACHE
from tests.loader.children import ROOT, TIMEOUT_S


@pytest.fixture
def release(tiny_release, tmp_path):
    """A copy of the small release, which the test may damage."""
    return Path(shutil.copytree(tiny_release, tmp_path / "release"))


@pytest.fixture
def bake(release, tmp_path):
    """Bake `release` as the command line does."""
    target = tmp_path / "target"
    target.mkdir()

    def bake(*options):
        words = [sys.executable, "-m", "loader.bake", *options, "voice", release, target, "onnx"]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    return bake


@pytest.fixture(scope="session")
def piper_release():
    """Return the sealed directory of any random voice that `tests.support.piper_voices` knows."""

    def piper_release(name):
        def make(directory):
            subprocess.run([sys.executable, "-m", "tests.support.piper_voices", name, directory], cwd=ROOT, check=True)

        return Store(CACHE / "releases", proof=HASH_FILE).publish(f"piper-{name.replace(' ', '-')}", make)

    return piper_release
