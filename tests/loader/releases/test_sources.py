"""Folders and buckets as sources: what is read, what is refused, and that a fetch from them is a fetch like any other."""

import os
import sys

import fsspec
import pytest

from loader.errors import FetchError, MissingFileError, MissingPackageError, SourceError
from loader.releases.fetch import fetch_release
from loader.releases.installed import InstalledReleases
from loader.releases.object_storage import BucketSource
from loader.releases.sources import FileSource, open_source, read_small
from tests.loader.releases.folders import LIMITS, content_of, release_files


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name, content in release_files(1).items():
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_is_a_source(folder, tmp_path):
    installed = InstalledReleases(folder.as_uri(), tmp_path / "cache")

    found = fetch_release(installed, LIMITS)

    assert release_files(1) == content_of(found)
    (folder / "model.pth").write_bytes(b"changed later")
    assert release_files(1) == content_of(found)


def test_a_folder_is_resumed_while_its_file_is_the_same(folder):
    source = FileSource(folder.as_uri())
    with source.open("model.pth") as opened:
        etag, whole = opened.etag, b"".join(opened.blocks)

    with source.open("model.pth", 1000, etag) as opened:
        assert (1000, whole[1000:]) == (opened.offset_bytes, b"".join(opened.blocks))
    (folder / "model.pth").write_bytes(b"new")
    with source.open("model.pth", 1000, etag) as opened:
        assert (0, b"new") == (opened.offset_bytes, b"".join(opened.blocks))


def test_links_pipes_and_folders_are_refused(folder):
    source = FileSource(folder.as_uri())
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()

    for name, reason in {"link": "links are not followed", "pipe": "not a regular file", "folder": "not a regular file"}.items():
        with pytest.raises(SourceError, match=reason):
            read_small(source, name, 1000)
    with pytest.raises(MissingFileError, match="no such file"):
        read_small(source, "none", 1000)
    assert source.size_bytes("none") is None


@pytest.mark.parametrize("url", ["file://host/srv/voice", "file:srv/voice", "file:///"[:7] + "relative"])
def test_a_folder_of_another_machine_is_refused(url):
    with pytest.raises(SourceError, match="not a folder of this machine; write file:///FOLDER"):
        open_source(url, 1.0)


@pytest.fixture
def bucket(folder):
    """A bucket in memory, by the same interface as any other."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    for name, content in release_files(1).items():
        files.pipe(f"/bucket/voice/{name}", content)
    return files


def test_a_bucket_is_a_source(bucket, tmp_path, monkeypatch):
    from loader.releases import fetch

    monkeypatch.setattr(fetch, "open_source", lambda *arguments: BucketSource(bucket, "/bucket/voice", "s3://bucket/voice"))

    assert release_files(1) == content_of(fetch_release(InstalledReleases("s3://bucket/voice", tmp_path), LIMITS))


def test_an_object_is_resumed_while_it_is_the_same(bucket):
    source = BucketSource(bucket, "/bucket/voice", "s3://bucket/voice")
    with source.open("model.pth") as opened:
        etag, whole = opened.etag, b"".join(opened.blocks)

    with source.open("model.pth", 1000, etag) as opened:
        assert (1000, whole[1000:]) == (opened.offset_bytes, b"".join(opened.blocks))
    with source.open("model.pth", 1000, "other") as opened:
        assert (0, whole) == (opened.offset_bytes, b"".join(opened.blocks))


def test_errors_of_a_storage_become_ours(bucket):
    class Failing:
        def __init__(self, error):
            self.error = error

        def invalidate_cache(self):
            raise self.error

    source = BucketSource(bucket, "/bucket/voice", "s3://bucket/voice")
    with pytest.raises(MissingFileError, match="s3://bucket/voice/none: no such object"):
        read_small(source, "none", 1000)
    for raised, expected in {PermissionError("denied"): SourceError, KeyError("no credentials"): FetchError}.items():
        with pytest.raises(expected, match="s3://bucket/voice/x: "):
            read_small(BucketSource(Failing(raised), "/bucket/voice", "s3://bucket/voice"), "x", 1000)


@pytest.mark.parametrize(("url", "extra"), [("s3://bucket/voice", "s3"), ("gs://bucket/voice", "gs"), ("hf:owner/voice", "hf")])
def test_a_missing_package_names_its_extra(url, extra, monkeypatch):
    for name in ("s3fs", "gcsfs", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingPackageError, match=f"install the `{extra}` extra"):
        open_source(url, 1.0)


@pytest.mark.parametrize("url", ["s3:voice", "gs:///voice", "hf:voice", "hf:a/b/c", "hf:a/b@"])
def test_a_url_that_its_scheme_does_not_have_is_refused(url):
    with pytest.raises(SourceError, match="write "):
        open_source(url, 1.0)


@pytest.mark.parametrize(
    ("url", "revision"), [("hf:owner/voice", "main"), ("hf:owner/voice@v1.2", "v1.2"), ("hf://owner/voice", "main")]
)
def test_a_repository_of_the_hub_is_a_web_server(url, revision):
    source = open_source(url, 1.0)

    assert f"https://huggingface.co/owner/voice/resolve/{revision}/model.pth" == source._url_of("model.pth")
    assert url == source.name
