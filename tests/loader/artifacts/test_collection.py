"""Artifacts of a release that is removed: those that nothing else is served from."""

import json

import pytest

from loader.artifacts.collection import artifacts_made_from
from loader.config.settings import load_settings
from loader.releases.fetch import fetch_release
from loader.releases.hash_list import parse_hash_list
from loader.releases.installed import InstalledReleases
from tests.loader.releases.folders import LIMITS, release_files


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def installed(source, tmp_path):
    return InstalledReleases(source.as_uri(), tmp_path / "cache")


def fetch(source, installed, seed):
    for name, content in release_files(seed, str(seed)).items():
        (source / name).write_bytes(content)
    return fetch_release(installed, LIMITS)


def bake(tmp_path, name, snapshot, **changed):
    """Make an artifact of a release by its manifest."""
    hashes = parse_hash_list((snapshot.directory / "hash.sha256").read_text()) | changed
    folder = tmp_path / "cache" / "artifacts" / name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"source": {"hashes": hashes}}))
    return folder


def settings_of(tmp_path, *paths):
    voices = [{"name": f"voice {position}", "model_path": str(path)} for position, path in enumerate(paths)]
    (tmp_path / "tts_config.yaml").write_text(json.dumps({"voices": voices, "cache_dir": "cache"}))
    return load_settings(tmp_path / "tts_config.yaml")


def test_every_engine_s_artifact_of_a_release_is_its_own(source, installed, tmp_path):
    first, second = fetch(source, installed, 1), fetch(source, installed, 2)
    made = [bake(tmp_path, "onnx", first), bake(tmp_path, "pytorch", first)]
    bake(tmp_path, "other", second)
    bake(tmp_path, "changed", first, **{"model.pth": "0" * 64})
    (tmp_path / "cache" / "artifacts" / "broken").mkdir()
    (tmp_path / "cache" / "artifacts" / "broken" / "manifest.json").write_text("{")

    assert made == artifacts_made_from(settings_of(tmp_path, source.as_uri()))(first)


def test_an_artifact_that_is_served_otherwise_stays(source, installed, tmp_path):
    first = fetch(source, installed, 1)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, content in release_files(1).items():
        (copy / name).write_bytes(content)
    fetch(source, installed, 2)
    artifact = bake(tmp_path, "onnx", first)

    assert [artifact] == artifacts_made_from(settings_of(tmp_path, source.as_uri()))(first)
    assert [] == artifacts_made_from(settings_of(tmp_path, source.as_uri(), copy))(first)
    assert [] == artifacts_made_from(settings_of(tmp_path, source.as_uri(), artifact))(first)


def test_an_artifact_of_a_release_with_a_role_stays(source, installed, tmp_path):
    first = fetch(source, installed, 1)
    installed.offer(first.id)
    installed.accept()
    fetch(source, installed, 2)
    bake(tmp_path, "onnx", first)

    assert [] == artifacts_made_from(settings_of(tmp_path, source.as_uri()))(first)
