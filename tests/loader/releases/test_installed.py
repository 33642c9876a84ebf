"""Installed releases: roles change at once or not at all, and collection keeps what has a role or is in use."""

import errno
import hashlib
from pathlib import Path

import pytest

from loader.errors import IntegrityError, ReleaseError, StoreError
from loader.releases import installed as module
from loader.releases.installed import InstalledReleases
from tests.loader.releases.killing import killed_at_every_step

SOURCE = "https://host/voices/joe/"


def install(installed, version):
    """Publish a release of one file, as a fetch does at its end."""
    content = f"model {version}".encode()
    digest = hashlib.sha256(content).hexdigest()
    installed.blobs.mkdir(parents=True, exist_ok=True)
    (installed.blobs / digest).write_bytes(content)
    manifest = f"{digest}  model.pth\n".encode()
    proofs = {"hash.sha256": manifest, "version.txt": f"{version}\n".encode()}
    with installed.fetching():
        return installed.publish(hashlib.sha256(manifest).hexdigest(), {"model.pth": digest}, proofs)


def become_current(installed, snapshot):
    installed.offer(snapshot.id)
    return installed.accept()


@pytest.fixture
def installed(tmp_path):
    return InstalledReleases(SOURCE, tmp_path)


@pytest.fixture
def three(installed):
    """Releases 1 and 2, of which 2 is current, and release 3."""
    first, second = install(installed, "1"), install(installed, "2")
    become_current(installed, first)
    become_current(installed, second)
    return first, second, install(installed, "3")


def roles(installed):
    return [each and each.version for each in (installed.current, installed.previous, installed.candidate)]


def test_a_source_that_was_never_fetched_has_no_releases(installed, tmp_path):
    assert [None, None, None] == roles(installed)
    assert ([], {}) == (list(installed.list()), installed.rejected)
    assert [] == list(installed.collect()) == list(tmp_path.iterdir())


def test_an_accepted_candidate_is_current_and_the_current_release_previous(installed, three):
    installed.offer(three[2].id[:12])
    assert ["2", "1", "3"] == roles(installed)

    assert three[2] == installed.accept()
    assert ["3", "2", None] == roles(installed)


def test_a_rejected_candidate_is_kept_with_its_reason(installed, three):
    installed.offer(three[2].id)
    installed.reject("voice joe is silent")

    assert ["2", "1", None] == roles(installed)
    assert {three[2].id: "voice joe is silent"} == {key: each.reason for key, each in installed.rejected.items()}


def test_a_rejected_release_that_is_offered_again_has_a_clean_record(installed, three):
    installed.offer(three[2].id)
    installed.reject("silent")
    installed.offer(three[2].id)
    assert {} == installed.rejected

    installed.accept()
    assert ["3", "2", None] == roles(installed)


def test_a_rollback_swaps_both_and_rejects_the_one_that_was_current(installed, three):
    installed.offer(three[0].id, is_rollback=True)
    installed.accept()

    assert ["1", "2", None] == roles(installed)
    assert {three[1].id: "rolled back"} == {key: each.reason for key, each in installed.rejected.items()}


def test_a_rejected_rollback_rejects_the_candidate_alone(installed, three):
    installed.offer(three[0].id, is_rollback=True)
    installed.reject("silent")
    become_current(installed, three[2])

    assert {three[0].id: "silent"} == {key: each.reason for key, each in installed.rejected.items()}


def test_the_current_release_may_be_accepted_again(installed, three):
    become_current(installed, three[1])

    assert ["2", "1", None] == roles(installed)


def test_without_a_candidate_nothing_is_accepted_and_a_rejection_does_nothing(installed, three):
    installed.reject("late")
    with pytest.raises(ReleaseError, match="there is no candidate"):
        installed.accept()

    assert ["2", "1", None] == roles(installed)
    assert {} == installed.rejected


def test_the_first_release_is_adopted_without_a_trial_and_by_one_process_only(installed):
    first, second = install(installed, "1"), install(installed, "2")

    assert first == installed.adopt(first.id)
    assert first == installed.adopt(second.id)
    assert ["1", None, None] == roles(installed)


def test_without_hard_links_a_snapshot_is_a_copy(installed, monkeypatch):
    def refuse(path, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    first = install(installed, "1")
    inode = (first.directory / "model.pth").stat().st_ino

    assert first == install(installed, "1")
    assert inode == (first.directory / "model.pth").stat().st_ino, "a snapshot that is right was made again"


def test_a_pinned_release_is_the_only_one_that_may_be_offered(installed, three):
    installed.offer(three[2].id)
    installed.pin(three[1].id)

    assert ["2", "1", None] == roles(installed)
    with pytest.raises(ReleaseError, match="is pinned, so .* is not tried; chorus release pin --none ends that"):
        installed.offer(three[2].id)
    installed.offer(three[1].id)
    installed.unpin()
    installed.offer(three[2].id)


@pytest.mark.parametrize("digits", ["", "abc", "xyz12345", "../../..", "0000000"])
def test_an_id_that_is_not_installed_is_named(installed, three, digits):
    with pytest.raises(ReleaseError):
        installed.offer(digits)


def test_a_damaged_record_names_the_remedy(installed, three):
    (installed.directory / "record.json").write_text('{"current": 7}')

    with pytest.raises(IntegrityError, match="remove it; the next start fetches"):
        installed.current  # noqa: B018


def test_a_release_whose_folder_is_gone_has_no_role(installed, three):
    (three[1].directory / "hash.sha256").unlink()

    assert [None, "1", None] == roles(installed)


def test_links_follow_the_roles(installed, three):
    assert three[1].directory == (installed.directory / "current").resolve()
    assert three[0].directory == (installed.directory / "previous").resolve()


def test_kill_9_at_every_step_of_an_acceptance_leaves_the_old_or_the_new_roles(quick_folder):
    def prepare(folder):
        installed = InstalledReleases(SOURCE, folder)
        releases = [install(installed, version) for version in "123"]
        become_current(installed, releases[0])
        become_current(installed, releases[1])
        installed.offer(releases[2].id)

    folders = killed_at_every_step("installed.accept()", SOURCE, quick_folder, prepare, most=200, by_line=True)

    outcomes = [roles(InstalledReleases(SOURCE, folder)) for folder in folders]
    changed = outcomes.index(["3", "2", None])
    assert changed > 3 and len(outcomes) > changed + 1
    assert [["2", "1", "3"]] * changed + [["3", "2", None]] * (len(outcomes) - changed) == outcomes
    for folder in folders[:changed]:
        assert "3" == InstalledReleases(SOURCE, folder).accept().version


def test_collection_keeps_what_has_a_role(installed, three):
    become_current(installed, three[2])
    install(installed, "4")
    rejected = install(installed, "5")
    installed.offer(rejected.id)
    installed.reject("silent")
    latest = install(installed, "6")

    removed = installed.collect(is_dry_run=True)
    assert 6 == len(installed.list())
    assert removed == installed.collect()

    assert {"3", "2", "6"} == {each.version for each in installed.list()}
    assert latest == installed.latest and rejected.id in installed.rejected
    assert 3 == len(list(installed.blobs.iterdir()))
    assert 3 * len("model 1") == sum(each.size_bytes for each in removed if each.path.parent == installed.blobs)


def test_collection_keeps_the_pinned_release_and_as_many_more_as_it_is_asked_to(installed, three):
    installed.pin(three[0].id)
    installed.unpin()
    become_current(installed, three[2])
    install(installed, "4")
    install(installed, "5")
    installed.pin(three[0].id)

    installed.collect(keep=1)

    assert {"1", "2", "3", "4", "5"} == {each.version for each in installed.list()}
    installed.collect()
    assert {"1", "2", "3", "5"} == {each.version for each in installed.list()}


def test_collection_keeps_what_a_process_has_open(installed, three):
    become_current(installed, three[2])
    with (three[0].directory / "model.pth").open():
        installed.collect()
        assert "1" in {each.version for each in installed.list()}

    installed.collect()
    assert {"2", "3"} == {each.version for each in installed.list()}


def test_collection_removes_leftovers_of_killed_processes(installed, three):
    (installed.directory / "snapshots" / ".x~1.tmp").mkdir()
    installed.partial.mkdir()
    (installed.partial / f"{'0' * 64}.part").write_bytes(b"begun")
    (installed.blobs / ("0" * 64)).write_bytes(b"orphan")

    sizes = sorted(each.size_bytes for each in installed.collect())

    assert [0, 5, 6] == sizes
    assert [] == list(installed.partial.iterdir())


def test_collection_keeps_what_was_made_from_a_release_that_stays(installed, three, tmp_path):
    made = {each.id: tmp_path / each.version for each in three}
    for path in made.values():
        path.mkdir()
        (path / "weights.bin").write_bytes(b"weights")
    become_current(installed, three[2])

    with (made[three[0].id] / "weights.bin").open():
        assert [] == list(installed.collect(made_from=lambda snapshot: [made[snapshot.id]]))
    removed = installed.collect(made_from=lambda snapshot: [made[snapshot.id]])

    assert made[three[0].id] == removed[0].path
    assert ["2", "3"] == sorted(path.name for path in made.values() if path.exists())


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(installed, three, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_aside", full)
    with pytest.raises(StoreError, match="No space left on device.*make room there, or set cache_dir"):
        installed.unpin()
