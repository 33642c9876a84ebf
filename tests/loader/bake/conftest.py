"""A thin voice that bakes in seconds, in as many spoilt copies as tests ask for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loader.children import PATIENCE_S, ROOT


@pytest.fixture
def release(tiny_release, tmp_path):
    """A copy of the thin release, to be spoilt."""
    return Path(shutil.copytree(tiny_release, tmp_path / "release"))


@pytest.fixture
def bake(release, tmp_path):
    """Bake `release` as the command line does."""
    target = tmp_path / "target"
    target.mkdir()

    def bake(*options):
        words = [sys.executable, "-m", "loader.bake", *options, "voice", release, target, "onnx"]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    return bake
