"""A small voice that bakes in seconds, and copies of it that tests may damage."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
