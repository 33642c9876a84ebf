"""loader.releases: what a directory needs to be accepted, by `verify`; sealed lists with more files than are read."""

import logging
import os
import shutil

import pytest

from loader.errors import IntegrityError, ModelNotFoundError
from loader.releases.ownership import find_other_writer
from loader.releases.release import claim_release, open_release
from loader.releases.sealing import seal_release

CONFIG, CHECKPOINT = b'{"model": "vits"}', b"weights " * 1000


@pytest.fixture
def directory(tmp_path):
    """An unsealed model directory that only this user can write."""
    directory = tmp_path / "voice"
    directory.mkdir(mode=0o755)
    (directory / "best_model.pth").write_bytes(CHECKPOINT)
    (directory / "config.json").write_bytes(CONFIG)
    (directory / "train.log").write_text("epoch 1\n")
    return directory


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache" / "verified.json"


def test_an_unsealed_directory_is_refused_with_one_command(directory):
    with pytest.raises(IntegrityError) as caught:
        open_release(directory)

    assert f"{directory}/hash.sha256: expected " in str(caught.value)
    assert str(caught.value).endswith(f"seal the directory with: chorus seal {directory}")


def test_the_command_quotes_a_name_with_blanks(directory):
    spaced = directory.rename(directory.with_name("my voice"))

    with pytest.raises(IntegrityError, match=f"chorus seal '{spaced}'"):
        open_release(spaced)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_folder_without_a_model_is_never_told_to_seal_it(tmp_path, sealed):
    (tmp_path / "notes.txt").write_text("")
    if sealed:
        seal_release(tmp_path, "1", ["notes.txt"])

    with pytest.raises(ModelNotFoundError, match="no model; .*the folder has notes.txt") as caught:
        open_release(tmp_path)
    assert "chorus seal" not in str(caught.value)


def test_a_log_that_grows_after_the_seal_is_a_warning(directory, caplog):
    seal_release(directory, "1", ["best_model.pth", "config.json", "train.log"])
    (directory / "train.log").write_text("epoch 1\nepoch 2\n")
    with caplog.at_level(logging.WARNING, "chorus.loader"):
        release = open_release(directory)

    assert {"best_model.pth", "config.json"} == set(release.hashes)
    assert f"{directory}: train.log changed since it was sealed" in caplog.text


def test_a_log_that_is_removed_after_the_seal_is_a_warning(directory, caplog):
    seal_release(directory, "1", ["best_model.pth", "config.json", "train.log"])
    (directory / "train.log").unlink()
    open_release(directory)

    assert "train.log changed since it was sealed" in caplog.text


def test_a_named_checkpoint_that_is_not_listed_is_refused(directory):
    (directory / "checkpoint_5.pth").write_bytes(b"other")
    seal_release(directory, "1", ["best_model.pth", "config.json"])

    assert "best_model.pth" == open_release(directory / "best_model.pth").checkpoint_path.name
    with pytest.raises(ModelNotFoundError, match="does not list checkpoint_5.pth, the checkpoint"):
        open_release(directory / "checkpoint_5.pth")


@pytest.mark.parametrize("verify", ["warn", "off"])
def test_an_unsealed_directory_is_opened_if_the_configuration_allows_it(directory, memory, verify, caplog):
    release = open_release(directory, memory=memory, verify=verify)

    assert {"best_model.pth", "config.json"} == set(release.hashes)
    assert ("unsealed", False) == (release.version, release.is_sealed)
    assert ("not sealed; its files are taken as they are" in caplog.text) == (verify == "warn")
    assert {"best_model.pth", "config.json", "train.log"} == {each.name for each in directory.iterdir()}


def test_the_identity_of_an_unsealed_directory_is_that_of_its_files(directory, memory):
    first = open_release(directory, memory=memory, verify="warn")
    (directory / "best_model.pth").write_bytes(CHECKPOINT + b"x")
    second = open_release(directory, memory=memory, verify="warn")

    assert first.hashes["config.json"] == second.hashes["config.json"]
    assert first.hashes["best_model.pth"] != second.hashes["best_model.pth"]


def test_hashes_of_an_unsealed_directory_are_remembered_elsewhere(directory, memory):
    """The folder may be read-only; a second start hashes nothing."""
    assert claim_release(directory, memory, "warn") is None
    opened, sizes = open_release(directory, memory=memory, verify="warn"), []
    again = open_release(directory, memory=memory, verify="warn", hashed=sizes.append)

    assert (opened, []) == (again, sizes)
    assert opened == claim_release(directory, memory, "warn")


def test_a_wrong_hash_is_refused_unless_lists_are_not_compared(directory):
    seal_release(directory, "1", ["best_model.pth", "config.json"])
    (directory / "best_model.pth").write_bytes(b"other")

    for verify in ("require", "warn"):
        with pytest.raises(IntegrityError, match="best_model.pth: expected sha256"):
            open_release(directory, verify=verify)
    assert not open_release(directory, verify="off").is_sealed


def test_the_configured_version_is_needed_in_every_mode(directory):
    for verify in ("warn", "off"):
        with pytest.raises(IntegrityError, match="version.txt: expected"):
            open_release(directory, "2", verify=verify)
    (directory / "version.txt").write_text("2\n")

    assert "2" == open_release(directory, "2", verify="warn").version


@pytest.mark.parametrize("verify", ["warn", "off"])
@pytest.mark.parametrize("name", ["", "best_model.pth", "config.json"], ids=["folder", "checkpoint", "configuration"])
@pytest.mark.parametrize(("mode", "who"), [(0o666, "every user"), (0o664, "group ")])
def test_a_directory_that_others_can_write_is_refused_with_the_reason(directory, verify, name, mode, who):
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another group")
    path = directory / name
    os.chown(path, 0, 54321)
    path.chmod(mode | (0o111 if path.is_dir() else 0))

    with pytest.raises(IntegrityError, match=f"{path}: {who}.* can write it; chmod"):
        open_release(directory, verify=verify)


def test_files_of_another_user_are_refused(directory):
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(directory / "best_model.pth", 54321, 0)

    with pytest.raises(IntegrityError, match="best_model.pth: belongs to user 54321; it must belong to "):
        open_release(directory, verify="warn")
    seal_release(directory, "1", ["best_model.pth", "config.json"])
    open_release(directory, verify="warn")


def test_a_folder_above_or_behind_a_link_counts_too(directory, tmp_path):
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    shutil.move(directory / "best_model.pth", open_folder / "weights")
    (directory / "best_model.pth").symlink_to(open_folder / "weights")
    link = tmp_path / "link"
    link.symlink_to(directory)

    assert find_other_writer(link, ["best_model.pth"]) is None
    open_folder.chmod(0o777)
    assert f"{open_folder}: every user can write it; chmod o-w" == find_other_writer(link, ["best_model.pth"])
    assert find_other_writer(link, ["config.json"]) is None


def test_a_shared_folder_in_which_users_replace_only_their_own_files_is_accepted(directory, tmp_path):
    tmp_path.chmod(0o1777)
    assert find_other_writer(directory, ["config.json"]) is None
    tmp_path.chmod(0o777)
    assert f"{tmp_path}: every user can write it; chmod o-w" == find_other_writer(directory, ["config.json"])
