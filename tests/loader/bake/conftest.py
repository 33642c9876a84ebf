"""A thin voice that bakes in seconds, in as many spoilt copies as tests ask for."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def release(tiny_release, tmp_path):
    """A copy of the thin release, to be spoilt."""
    return Path(shutil.copytree(tiny_release, tmp_path / "release"))
