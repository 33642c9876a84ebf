"""Signed releases: a manifest by the owner of the configured key is fetched, any other release is refused before it is parsed."""

import subprocess
import sys

import pytest

from loader.config.settings import ReleaseSettings
from loader.errors import MissingPackageError, SourceError
from loader.releases.fetch import fetch_release
from loader.releases.installed import InstalledReleases
from tests.loader.releases.folders import content_of, release_files

needs_package = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import model_signing"], capture_output=True, check=False).returncode != 0,
    reason="model-signing is not installed (the `signing` extra)",
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "voice"
    folder.mkdir()
    for name, content in release_files(1).items():
        (folder / name).write_bytes(content)
    return folder


def make_key(folder, name):
    private, public = folder / f"{name}.key", folder / f"{name}.pem"
    for words in (
        ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private],
        ["ec", "-in", private, "-pubout", "-out", public],
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    return private, public


def sign(folder, private):
    words = ["sign", "key", "hash.sha256", "--signature", "model.sig", "--private_key", private]
    subprocess.run([sys.executable, "-m", "model_signing", *words], cwd=folder, check=True, capture_output=True)


def fetch(folder, public):
    limits = ReleaseSettings(public_key=str(public))
    return fetch_release(InstalledReleases(folder.as_uri(), folder.parent / "cache"), limits)


@needs_package
def test_a_release_signed_by_the_configured_key_is_fetched_with_its_signature(folder, tmp_path):
    private, public = make_key(tmp_path, "ours")
    sign(folder, private)

    assert {*release_files(1), "model.sig"} == set(content_of(fetch(folder, public)))


@needs_package
def test_a_release_signed_by_another_key_is_refused(folder, tmp_path):
    _, public = make_key(tmp_path, "ours")
    sign(folder, make_key(tmp_path, "theirs")[0])

    with pytest.raises(SourceError, match="model.sig: not a signature of hash.sha256 by the key .*ours.pem"):
        fetch(folder, public)


@needs_package
@pytest.mark.parametrize("damage", ["hash.sha256", "model.sig"])
def test_a_changed_manifest_is_refused_before_it_is_parsed(damage, folder, tmp_path):
    private, public = make_key(tmp_path, "ours")
    sign(folder, private)
    (folder / damage).write_bytes(b"nothing that can be parsed\n")

    with pytest.raises(SourceError, match="model.sig: not a signature"):
        fetch(folder, public)


def test_a_release_without_a_signature_is_refused_if_a_key_is_configured(folder, tmp_path):
    with pytest.raises(SourceError, match="model.sig: no such file; releases.public_key is set"):
        fetch(folder, tmp_path / "key.pem")


def test_without_the_package_the_extra_is_named(folder, tmp_path, monkeypatch):
    (folder / "model.sig").write_text("{}")
    monkeypatch.setitem(sys.modules, "model_signing", None)

    with pytest.raises(MissingPackageError, match="install the `signing` extra"):
        fetch(folder, tmp_path / "key.pem")


@needs_package
def test_a_key_that_is_not_there_is_named(folder, tmp_path):
    (folder / "model.sig").write_text("{}")

    with pytest.raises(SourceError, match="releases.public_key: .*none.pem: no such file"):
        fetch(folder, tmp_path / "none.pem")
