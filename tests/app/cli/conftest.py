"""A voice of 7 MB in its own cache, baked by the command."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.main import chorus as group
from loader.config.settings import load_settings
from tests.app.cli.running import chorus


@pytest.fixture
def invoke():
    """Run the command in this process; only for commands that import no heavy library."""
    return lambda *arguments: CliRunner().invoke(group, [str(each) for each in arguments], env={"CHORUS_CONFIG": ""})


@pytest.fixture(scope="package")
def first_bake(tiny_release, tmp_path_factory):
    """A folder with a model directory, a configuration and a cache, and the result of the bake that filled it."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copytree(tiny_release, folder / "release")
    (folder / "tts_config.yaml").write_text("model_path: release\ncache_dir: cache\n")
    return folder, chorus("bake", "--config", folder / "tts_config.yaml")


@pytest.fixture
def baked(first_bake, tmp_path):
    """The settings of a copy of that folder, which a test may damage."""
    folder, _ = first_bake
    shutil.copytree(folder, tmp_path / "baked")
    return load_settings(tmp_path / "baked" / "tts_config.yaml")


@pytest.fixture
def artifact(baked) -> Path:
    """The only artifact of that copy."""
    return next((baked.cache_dir / "artifacts").glob("*/manifest.json")).parent


def flip(path, position=1000):
    """Change one byte of a file."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))
