"""chorus verify: every byte is hashed, and every damaged directory is reported."""

import json
import shutil

import pytest

from loader.releases.release import open_release
from tests.app.cli.conftest import flip


def test_an_intact_voice_is_verified(invoke, baked, artifact):
    done = invoke("verify", "--config", baked.path)

    assert (0, "") == (done.exit_code, done.stderr)
    release, baked_line = done.stdout.splitlines()
    assert release.startswith(f"{baked.path.parent / 'release'}: model directory, 7.0 MB, verified in ")
    assert baked_line.startswith(f"{artifact}: artifact, ")


@pytest.mark.parametrize("name", ["decode.bin", "encode.onnx", "manifest.json"])
def test_a_changed_byte_of_an_artifact_is_reported(invoke, baked, artifact, name):
    flip(artifact / name)
    done = invoke("verify", "--config", baked.path)

    assert 65 == done.exit_code
    assert done.stderr.startswith(f"chorus: {artifact / name}: expected ")
    assert 1 == done.stdout.count("verified in")


def test_every_damaged_directory_is_reported(invoke, baked, artifact):
    flip(baked.path.parent / "release" / "model_file.pth")
    flip(artifact / "flow.bin")
    done = invoke("verify", "--config", baked.path)

    assert 65 == done.exit_code
    first, second = done.stderr.splitlines()
    assert first.startswith(f"chorus: {baked.path.parent / 'release' / 'model_file.pth'}: expected sha256 ")
    assert second.startswith(f"chorus: {artifact / 'flow.bin'}: expected sha256 ")
    assert "" == done.stdout


def test_directories_can_be_verified_without_a_configuration(invoke, baked, artifact, tmp_path):
    good = baked.path.parent / "release"
    bad = shutil.copytree(artifact, tmp_path / "bad")
    flip(bad / "decode.bin")
    done = invoke("verify", good, bad, artifact, "--config", tmp_path / "none.yaml")

    assert 65 == done.exit_code
    assert [str(good), str(artifact)] == [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert done.stderr.startswith(f"chorus: {bad / 'decode.bin'}: expected sha256 ")


def test_every_byte_is_hashed_even_if_a_server_has_verified_it(invoke, baked):
    """The server's record of verified files is falsified here, and must not be used."""
    release, memory = baked.path.parent / "release", baked.cache_dir / "verified.json"
    checkpoint = release / "model_file.pth"
    flip(checkpoint)
    digest = next(line.split()[0] for line in (release / "hash.sha256").read_text().splitlines() if ".pth" in line)
    now = checkpoint.stat()
    known = json.loads(memory.read_text())
    known[str(checkpoint)] = f"{now.st_size} {now.st_mtime_ns} {now.st_ctime_ns} {now.st_ino} {digest}"
    memory.write_text(json.dumps(known))
    open_release(release, memory=memory)

    assert 65 == invoke("verify", "--config", baked.path).exit_code


def test_a_version_other_than_the_configured_one_is_reported(invoke, baked):
    baked.path.write_text(baked.path.read_text() + "version: another\n")
    done = invoke("verify", "--config", baked.path)

    assert 65 == done.exit_code
    assert "version.txt: expected version another" in done.stderr


@pytest.mark.parametrize("name", ["version.txt", "hash.sha256"])
def test_a_release_that_is_not_sealed_is_reported(invoke, baked, name):
    (baked.path.parent / "release" / name).unlink()
    done = invoke("verify", "--config", baked.path)

    assert 65 == done.exit_code
    assert f"chorus: {baked.path.parent / 'release' / name}: expected " in done.stderr
    assert f"seal the directory with: chorus seal {baked.path.parent / 'release'}" in done.stderr


def test_a_voice_that_is_not_baked_yet_is_not_an_error(invoke, tmp_path):
    config = tmp_path / "tts_config.yaml"
    config.write_text("model_path: embedded/joe\ncache_dir: cache\n")
    done = invoke("verify", "--config", config)

    assert (0, "joe: not baked yet; chorus bake bakes it\n") == (done.exit_code, done.output)
    assert not (tmp_path / "cache").exists()


def test_a_missing_directory_is_an_error(invoke, tmp_path):
    done = invoke("verify", tmp_path / "none")

    assert 66 == done.exit_code
    assert f"chorus: {tmp_path / 'none'}: no such model directory; check model_path\n" == done.stderr
