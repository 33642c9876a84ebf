"""loader.releases.release: a model directory is opened only if it matches its hashes."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from loader.errors import IntegrityError, LoaderError, ModelNotFoundError
from loader.releases.release import open_release, release_id
from loader.releases.sealing import seal_release
from loader.storage.files import sha256_of

CHECKPOINT, CONFIG = b"weights " * 1000, b'{"model": "vits"}'


@pytest.fixture
def directory(tmp_path):
    """A sealed release whose files have no meaning: this module must not parse them."""
    directory = tmp_path / "voice"
    directory.mkdir()
    (directory / "model_file.pth").write_bytes(CHECKPOINT)
    (directory / "config.json").write_bytes(CONFIG)
    seal_release(directory, "1.2", ["config.json", "model_file.pth"])
    return directory


@pytest.fixture
def error_of(directory):
    """Return the error of opening `directory`, which must name the file."""

    def error_of(name, kind=IntegrityError, **options):
        with pytest.raises(kind) as caught:
            open_release(directory, **options)
        assert str(directory / name) in str(caught.value)
        return caught.value

    return error_of


def test_an_intact_release_opens(directory):
    release = open_release(directory, "1.2")

    assert "1.2" == release.version
    assert directory / "model_file.pth" == release.checkpoint_path
    assert hashlib.sha256(CONFIG).hexdigest() == release.hashes["config.json"]


def test_the_output_of_sha256sum_is_accepted(directory):
    digests = {name: sha256_of(directory / name) for name in ("config.json", "model_file.pth")}
    for form in ("{1}  {0}", "{1} *{0}", "{1}  ./{0}", "\n{1}  {0}\n", "{1}\t{0}", "{1}  {0}\r"):
        lines = [form.format(name, digest) for name, digest in digests.items()]
        (directory / "hash.sha256").write_text("\n".join(lines).replace("\t", "  "))

        assert digests == dict(open_release(directory).hashes)


@pytest.mark.parametrize("name", ["config.json", "model_file.pth"])
def test_a_changed_file_is_named_with_expected_and_found_hash(directory, error_of, name):
    content = bytearray((directory / name).read_bytes())
    expected = hashlib.sha256(content).hexdigest()
    content[-1] ^= 1
    (directory / name).write_bytes(content)

    error = error_of(name)

    assert directory / name == error.path
    assert f"sha256 {expected}" == error.expected
    assert hashlib.sha256(content).hexdigest() in error.found
    assert 65 == error.exit_status


@pytest.mark.parametrize("content", [b"", CHECKPOINT[:-1], CHECKPOINT + b"\0"])
def test_a_truncated_empty_or_grown_checkpoint_is_refused(directory, error_of, content):
    (directory / "model_file.pth").write_bytes(content)

    assert f"{len(content)} bytes" in error_of("model_file.pth").found


def test_hashed_bytes_are_reported(directory):
    sizes: list[int] = []
    release = open_release(directory, hashed=sizes.append)

    assert sum((directory / name).stat().st_size for name in release.hashes) == sum(sizes)


@pytest.mark.parametrize("name", ["config.json", "model_file.pth", "version.txt", "hash.sha256"])
def test_a_missing_file_is_refused(directory, error_of, name):
    (directory / name).unlink()

    assert "FileNotFoundError" in error_of(name).found


@pytest.mark.parametrize("name", ["config.json", "model_file.pth", "version.txt", "hash.sha256"])
def test_a_directory_in_place_of_a_file_is_refused(directory, error_of, name):
    (directory / name).unlink()
    (directory / name).mkdir()

    assert "IsADirectoryError" in error_of(name).found


def test_a_dangling_link_is_refused(directory, error_of):
    (directory / "model_file.pth").unlink()
    (directory / "model_file.pth").symlink_to("absent")

    assert "FileNotFoundError" in error_of("model_file.pth").found


@pytest.mark.parametrize("content", ["", "\n", "1\n2\n"])
def test_a_version_of_several_lines_or_none_is_refused(directory, error_of, content):
    (directory / "version.txt").write_text(content)

    assert "one line of text" == error_of("version.txt").expected


def test_another_version_than_configured_is_refused(error_of):
    error = error_of("version.txt", expected_version="1.3")

    assert ("version 1.3", "version 1.2") == (error.expected, error.found)


@pytest.mark.parametrize(
    "name",
    ["../voice/model_file.pth", "/etc/passwd", "sub/model_file.pth", "..", ".", "", "a\\b", "model\0.pth", "a\x1bb"],
)
def test_a_name_outside_the_folder_is_refused(directory, error_of, name):
    listed = (directory / "hash.sha256").read_text()
    (directory / "hash.sha256").write_text(listed + f"{sha256_of(directory / 'model_file.pth')}  {name}\n")

    assert "<sha256>  <file name>" == error_of("hash.sha256").expected


@pytest.mark.parametrize(
    "line", ["hello", "abc  model_file.pth", "g" * 64 + "  model_file.pth", "0" * 64, "0" * 63 + "  model_file.pth"]
)
def test_an_invalid_line_of_the_hash_list_is_refused(directory, error_of, line):
    (directory / "hash.sha256").write_text(line)

    assert repr(line)[:40] in error_of("hash.sha256").found


def test_a_binary_hash_list_is_refused(directory, error_of):
    (directory / "hash.sha256").write_bytes(b"\xff" * 80)

    assert "UnicodeDecodeError" == error_of("hash.sha256").found


def test_an_empty_hash_list_is_refused_with_the_command_that_makes_one(directory, error_of):
    (directory / "hash.sha256").write_text("")

    assert "chorus seal" in str(error_of("hash.sha256"))


@pytest.mark.parametrize("unlisted, kind", [("config.json", IntegrityError), ("model_file.pth", ModelNotFoundError)])
def test_a_model_file_that_is_not_listed_is_refused(directory, error_of, unlisted, kind):
    lines = (directory / "hash.sha256").read_text().splitlines()
    (directory / "hash.sha256").write_text("\n".join(line for line in lines if unlisted not in line))

    error_of("hash.sha256", kind=kind)


def test_a_missing_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for name, reason in {"absent": "no such model directory; check model_path", "file": "not a checkpoint"}.items():
        with pytest.raises(ModelNotFoundError, match=reason):
            open_release(tmp_path / name)


def test_the_checkpoint_can_have_any_of_coquis_names(directory):
    for name in ("best_model.pth", "checkpoint_1000.pth"):
        shutil.copyfile(directory / "model_file.pth", directory / name)
        seal_release(directory, "1", ["config.json", name])

        assert directory / name == open_release(directory).checkpoint_path


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache" / "verified.json"


def forge_hash_of_content(memory: Path, path: Path) -> None:
    """Make the memory claim that `path`, as it is now, was verified."""
    remembered = json.loads(memory.read_text())
    status = path.stat()
    digest = remembered[str(path)].split()[-1]
    remembered[str(path)] = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {digest}"
    memory.write_text(json.dumps(remembered))


def test_an_unchanged_file_is_not_hashed_again(directory, memory):
    """The file has wrong bytes, so that it opens only if the memory is used."""
    open_release(directory, memory=memory)
    (directory / "model_file.pth").write_bytes(b"X" * len(CHECKPOINT))
    forge_hash_of_content(memory, directory / "model_file.pth")

    open_release(directory, memory=memory)

    with pytest.raises(IntegrityError):
        open_release(directory)


def test_a_file_changed_in_place_is_detected_though_size_and_time_are_the_same(directory, memory, error_of):
    path = directory / "model_file.pth"
    open_release(directory, memory=memory)
    before = after = path.stat()
    while after.st_ctime_ns == before.st_ctime_ns:  # the kernel's clock ticks every few milliseconds
        path.write_bytes(b"X" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = path.stat()

    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)
    error_of("model_file.pth", memory=memory)


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_detected(directory, memory, error_of):
    path = directory / "model_file.pth"
    open_release(directory, memory=memory)
    before = path.stat()
    (directory / "other").write_bytes(b"X" * before.st_size)
    os.utime(directory / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    (directory / "other").rename(path)

    error_of("model_file.pth", memory=memory)


def test_a_new_hash_in_the_list_is_checked_though_the_file_is_known(directory, memory, error_of):
    open_release(directory, memory=memory)
    listed = (directory / "hash.sha256").read_text()
    (directory / "hash.sha256").write_text(listed.replace(sha256_of(directory / "model_file.pth"), "0" * 64))

    assert f"sha256 {'0' * 64}" == error_of("model_file.pth", memory=memory).expected


def test_a_refused_file_is_not_remembered(directory, memory, error_of):
    (directory / "model_file.pth").write_bytes(b"X" * len(CHECKPOINT))
    for _ in range(2):
        error_of("model_file.pth", memory=memory)


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "null", '["a"]', '{"a": 1}', "\udcff", "[" * 10_000])
def test_an_invalid_memory_is_discarded(directory, memory, content):
    memory.parent.mkdir()
    memory.write_text(content, errors="surrogateescape")

    open_release(directory, memory=memory)

    assert str(directory / "model_file.pth") in json.loads(memory.read_text())


def test_a_memory_that_cannot_be_written_is_no_error(directory, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "verified.json").mkdir(parents=True)

    for memory in (tmp_path / "file" / "verified.json", tmp_path / "folder" / "verified.json"):
        assert "1.2" == open_release(directory, memory=memory).version


def test_every_refusal_is_a_loader_error(directory):
    """Change one byte anywhere in the two lists: the release opens, or a `LoaderError` names its directory."""
    for name in ("version.txt", "hash.sha256"):
        sound = (directory / name).read_bytes()
        for position in range(len(sound)):
            for byte in (0, 10, 32, 47, 92, 255):
                (directory / name).write_bytes(sound[:position] + bytes([byte]) + sound[position + 1 :])
                try:
                    open_release(directory, "1.2")
                except LoaderError as error:
                    assert str(directory) in str(error)
        (directory / name).write_bytes(sound)


def test_the_id_of_a_release_is_the_hash_of_its_manifest(tmp_path):
    for name in ("model_file.pth", "config.json"):
        (tmp_path / name).write_text(name)
    seal_release(tmp_path, "1", ["model_file.pth", "config.json"])
    release = open_release(tmp_path)

    assert sha256_of(tmp_path / "hash.sha256") == release_id({"version": "1", "hashes": dict(release.hashes)})


def test_an_artifact_without_the_hashes_of_its_source_has_an_id_too():
    assert release_id({"version": "1"}) != release_id({"version": "2"})
