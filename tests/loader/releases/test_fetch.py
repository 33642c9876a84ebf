"""Fetching from a server that fails in every way: the release is whole and right, or there is none and an error says why."""

import threading

import pytest

from loader.config.settings import ReleaseSettings
from loader.errors import FetchError, MissingFileError, SourceError, WrongHashError
from loader.releases.fetch import Report, fetch_release
from loader.releases.installed import InstalledReleases
from tests.loader.releases.folders import LIMITS, at, content_of, release_files, release_id, sealed
from tests.support.hostile_server import Fault, hostile_server

MODEL = "/voice/model.pth"


class Remarks(Report):
    def __init__(self):
        self.lines, self.points = [], []

    def progress(self, file, done_bytes, total_bytes):
        self.points.append((file, done_bytes, total_bytes))

    def remark(self, text):
        self.lines.append(text)


@pytest.fixture
def site():
    with hostile_server() as site:
        yield site


@pytest.fixture
def files(site):
    files = release_files(1)
    site.files.update(at("/voice", files))
    return files


@pytest.fixture
def installed(site, tmp_path):
    return InstalledReleases(f"{site.url}/voice/", tmp_path)


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def fetch(installed, pauses):
    def fetch(limits=LIMITS, report=Report(), version=None):
        return fetch_release(installed, limits, version, report, pauses.append)

    return fetch


def leftovers(installed):
    return sorted(path.name for path in installed.partial.glob("*")) if installed.partial.is_dir() else []


def test_a_release_is_fetched_whole_and_has_no_role(fetch, files, installed):
    found = fetch()

    assert files == content_of(found)
    assert (release_id(files), "1") == (found.id, found.version)
    assert (None, None, found) == (installed.current, installed.candidate, installed.latest)
    assert [] == leftovers(installed)


def test_progress_is_of_all_files_and_ends_with_the_total(fetch, files):
    report = Remarks()

    fetch(report=report)

    total = len(files["model.pth"]) + len(files["config.json"])
    done = [point[1] for point in report.points]
    assert sorted(done) == done and total == done[-1]
    assert {total} == {point[2] for point in report.points}


def test_only_missing_files_are_fetched(fetch, files, site):
    fetch()
    newer = sealed({"model.pth": files["model.pth"], "config.json": b"{}"}, "2")
    site.files.update(at("/voice", newer))

    assert newer == content_of(fetch())
    assert 1 == len(site.gets(MODEL)) and 2 == len(site.gets("/voice/config.json"))


def test_the_same_release_again_fetches_its_small_files_alone(fetch, files, site):
    first = fetch()
    site.seen.clear()

    assert first == fetch()
    assert {"/voice/hash.sha256", "/voice/version.txt"} == {each.path for each in site.seen}


@pytest.mark.parametrize("where", [0, 1, 150_000, 299_999])
def test_a_cut_is_resumed_from_where_it_was(where, fetch, files, site, pauses):
    site.faults[MODEL] = [Fault(cut_at=where)]

    assert files == content_of(fetch())
    asked = [each.headers.get("range") for each in site.gets(MODEL)]
    assert [None, f"bytes={where}-" if where else None] == asked
    assert 1 == len(pauses) and 0 < pauses[0] < 3


@pytest.mark.parametrize("where", [0, 1, 150_000, 299_999])
def test_a_stall_times_out_and_is_resumed(where, fetch, files, site):
    site.faults[MODEL] = [Fault(stall_at=where)]

    assert files == content_of(fetch(ReleaseSettings(timeout_s=0.3)))
    assert 2 == len(site.gets(MODEL))


def test_a_cut_of_a_body_without_length_is_noticed(fetch, files, site):
    site.faults[MODEL] = [Fault(cut_at=1000, content_length="")]

    assert files == content_of(fetch())


def test_three_cuts_are_an_error_and_the_next_fetch_continues(fetch, files, site, installed):
    site.faults[MODEL] = [Fault(cut_at=1000) for _ in range(3)]

    with pytest.raises(FetchError, match=r"model.pth: ProtocolError: Connection broken: IncompleteRead\(1000 bytes"):
        fetch()
    assert (None, []) == (installed.latest, list(installed.list()))

    assert files == content_of(fetch())
    assert "bytes=3000-" == site.gets(MODEL)[-1].headers["range"]


@pytest.mark.parametrize("fault", [Fault(is_silent=True), Fault(stall_at=0)], ids=["before the head", "after the head"])
def test_a_server_that_hangs_is_an_error_after_three_tries(fault, site, tmp_path, pauses):
    site.files.update(at("/voice", release_files(1)))
    site.always["/voice/hash.sha256"] = fault
    installed = InstalledReleases(f"{site.url}/voice", tmp_path)

    with pytest.raises(FetchError, match="ReadTimeoutError: Read timed out"):
        fetch_release(installed, ReleaseSettings(timeout_s=0.2), pause=pauses.append)
    assert 3 == len(site.gets("/voice/hash.sha256")) and 2 == len(pauses)


def test_no_server_at_all_is_an_error(tmp_path, pauses):
    installed = InstalledReleases("http://127.0.0.1:9/voice", tmp_path)

    with pytest.raises(FetchError, match="127.0.0.1:9/voice: NewConnectionError: Failed to establish .* Connection refused"):
        fetch_release(installed, LIMITS, pause=pauses.append)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(Fault(ignores_range=True), id="200"),
        pytest.param(Fault(content_range="bytes 7-299999/300000"), id="other place"),
        pytest.param(Fault(content_range="bytes 1000-2000/300000"), id="part of the rest"),
        pytest.param(Fault(content_range="pages 1000-299999/300000"), id="other unit"),
        pytest.param(Fault(content_range="bytes 1000-299999/300000", etag='"other"', status=206), id="other file"),
        pytest.param(Fault(status=416), id="416"),
        pytest.param(Fault(status=206, content_range="bytes 99999999999999999999-1/1"), id="absurd range"),
    ],
)
def test_a_server_that_does_not_resume_starts_over(second, fetch, files, site):
    site.faults[MODEL] = [Fault(cut_at=1000), second]
    report = Remarks()

    assert files == content_of(fetch(report=report))
    asked = [each.headers.get("range") for each in site.gets(MODEL)]
    assert [None, "bytes=1000-", None][: 2 if second.ignores_range else 3] == asked
    assert not any(line.startswith("begins again") for line in report.lines), "it was noticed by the hash alone"


def test_a_server_that_lies_about_ranges_gets_one_more_try_from_zero(fetch, files, site):
    site.faults[MODEL] = [Fault(cut_at=1000), Fault(content=files["model.pth"][::-1], etag=_etag_of(files["model.pth"]))]
    report = Remarks()

    assert files == content_of(fetch(report=report))
    assert any(line.startswith("begins again: ") for line in report.lines)
    assert "range" not in site.gets(MODEL)[-1].headers


def test_a_file_that_changes_midway_starts_over(fetch, files, site):
    site.faults[MODEL] = [Fault(cut_at=1000, content=bytes(300_000))]

    assert files == content_of(fetch())
    assert site.gets(MODEL)[1].headers["if-range"] != _etag_of(files["model.pth"])


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_resumed(etag, fetch, files, site):
    site.faults[MODEL] = [Fault(cut_at=1000, etag=etag)]

    assert files == content_of(fetch())
    assert [None, None] == [each.headers.get("range") for each in site.gets(MODEL)]


def test_the_etag_of_other_content_is_forgotten(fetch, files, site):
    site.faults[MODEL] = [Fault(cut_at=1000, content=bytes(300_000)), Fault(cut_at=2000, etag="")]

    assert files == content_of(fetch())
    assert [None, "bytes=1000-", None] == [each.headers.get("range") for each in site.gets(MODEL)]


def test_one_wrong_hash_is_forgiven(fetch, files, site):
    site.faults[MODEL] = [Fault(content=bytes(300_000))]

    assert files == content_of(fetch())
    assert 2 == len(site.gets(MODEL))


def test_two_wrong_hashes_are_an_error_and_keep_the_other_files(fetch, files, site, installed):
    site.always["/voice/config.json"] = Fault(content=b"other")

    with pytest.raises(WrongHashError, match="config.json: 5 bytes with the sha256 d9298a10d1b0") as caught:
        fetch()
    assert 65 == caught.value.exit_status and caught.value.permanent
    assert 2 == len(site.gets("/voice/config.json"))
    assert (None, []) == (installed.latest, leftovers(installed))

    del site.always["/voice/config.json"]
    assert files == content_of(fetch())
    assert 1 == len(site.gets(MODEL))


def test_a_damaged_blob_is_fetched_again_and_the_snapshot_repaired(fetch, files, site, installed):
    before = fetch()
    (before.directory / "model.pth").chmod(0o644)
    (before.directory / "model.pth").write_bytes(b"damaged")
    report = Remarks()

    assert files == content_of(fetch(report=report))
    assert 2 == len(site.gets(MODEL)) and any("is damaged" in line for line in report.lines)


def test_a_damaged_partial_file_is_fetched_again(fetch, files, site, installed):
    site.faults[MODEL] = [Fault(cut_at=1000) for _ in range(3)]
    with pytest.raises(FetchError):
        fetch()
    part = next(installed.partial.glob("*.part"))
    part.write_bytes(bytes(part.stat().st_size))

    assert files == content_of(fetch())


def test_a_partial_file_that_was_whole_is_not_fetched_again(fetch, files, site, installed):
    site.faults["/voice/config.json"] = [Fault(status=503) for _ in range(3)]
    with pytest.raises(FetchError, match="the server answers 503"):
        fetch()
    whole = next(installed.blobs.iterdir())
    whole.rename(installed.partial / f"{whole.name}.part")

    assert files == content_of(fetch())
    assert 1 == len(site.gets(MODEL))


MANIFESTS = {
    "a parent folder": "../model.pth",
    "an absolute path": "/etc/passwd",
    "a subfolder": "a/b",
    "a backslash": "a\\b",
    "the folder itself": ".",
    "its parent": "..",
    "a control character": "a\x1b[31mb",
    "no name": "",
    "a name of 256 bytes": "x" * 256,
    "the manifest itself": "hash.sha256",
    "the signature": "model.sig",
}


@pytest.mark.parametrize("name", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_with_a_bad_name_is_refused_before_any_file_is_read(name, fetch, files, site, tmp_path):
    site.files["/voice/hash.sha256"] += f"{'0' * 64}  {name}\n".encode()
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(SourceError, match="/voice/hash.sha256: "):
        fetch()
    assert [] == site.gets(MODEL)
    assert not [path for path in tmp_path.rglob("*") if path not in before and path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"\xff\xfe", b"<html>", b"0123  model.pth\n", b"\0" * 100, "".join(f"{n:064x}  {n}\n" for n in range(1001)).encode()],
    ids=["empty", "no UTF-8", "a web page", "a short hash", "zeros", "1001 files"],
)
def test_a_manifest_that_is_none_is_refused(manifest, fetch, files, site):
    site.files["/voice/hash.sha256"] = manifest

    with pytest.raises(SourceError, match="/voice/hash.sha256: "):
        fetch()


def test_two_hashes_of_one_name_are_refused(fetch, files, site):
    site.files["/voice/hash.sha256"] += f"{'0' * 64}  model.pth\n".encode()

    with pytest.raises(SourceError, match="two hashes of 'model.pth'"):
        fetch()


@pytest.mark.parametrize("name", ["hash.sha256", "version.txt"])
def test_a_small_file_of_100_megabytes_is_not_read(name, fetch, files, site):
    site.always[f"/voice/{name}"] = Fault(endless_bytes=100_000_000)

    with pytest.raises(SourceError, match=f"{name}: larger than"):
        fetch()


@pytest.mark.parametrize(
    "version", [b"", b"\n\n", b"1\n2\n", b"\xff", b"1\x1b[0m"], ids=["empty", "blank", "lines", "bytes", "escape"]
)
def test_a_version_that_is_none_is_refused(version, fetch, files, site):
    site.files["/voice/version.txt"] = version

    with pytest.raises(SourceError, match="version.txt: expected one line of text"):
        fetch()


def test_another_version_than_configured_is_refused(fetch, files, site):
    with pytest.raises(SourceError, match="offers version 1, and the configuration wants 2"):
        fetch(version="2")
    assert [] == site.gets(MODEL)


def test_a_wanted_version_that_is_installed_needs_no_source(fetch, files, site, installed):
    first = fetch()
    site.files.update(at("/voice", release_files(2, "2")))
    second = fetch(version="2")
    report = Remarks()

    assert first == fetch(version="1", report=report)
    assert "offers version 2, and the configuration wants 1; release" in report.lines[-1]
    site.always["/voice/hash.sha256"] = Fault(status=503)
    assert [first, second] == [fetch(version=version) for version in "12"]
    with pytest.raises(FetchError):
        fetch(version="3")


def test_a_listed_version_file_must_have_its_hash(fetch, files, site):
    listed = sealed({"model.pth": files["model.pth"], "version.txt": b"7\n"}, "7")
    site.files.update(at("/voice", listed))
    assert "7" == fetch().version

    site.files["/voice/version.txt"] = b"8\n"
    with pytest.raises(WrongHashError, match="version.txt: not the file that hash.sha256 lists"):
        fetch()


@pytest.mark.parametrize("length", ["99999999999999999999999999", "9" * 17], ids=["26 digits", "17 digits"])
def test_an_absurd_size_is_refused_before_anything_is_read(length, fetch, files, site):
    site.heads[MODEL] = Fault(content_length=length)

    with pytest.raises(SourceError, match="larger than releases.max_bytes"):
        fetch()
    assert [] == site.gets(MODEL)


@pytest.mark.parametrize("length", ["-5", "many", ""], ids=["negative", "a word", "none"])
def test_a_size_that_is_none_is_taken_as_unknown(length, fetch, files, site):
    site.heads[MODEL] = Fault(content_length=length)
    report = Remarks()

    assert files == content_of(fetch(report=report))
    assert {None} == {point[2] for point in report.points}


def test_a_file_that_is_larger_than_claimed_stops_at_the_limit(fetch, files, site, installed):
    site.heads[MODEL] = Fault(content_length="")
    site.always[MODEL] = Fault(endless_bytes=100_000_000)

    with pytest.raises(SourceError, match="larger than releases.max_bytes"):
        fetch(ReleaseSettings(max_bytes=1_048_576))
    assert all(path.stat().st_size <= 1_048_576 for path in installed.partial.iterdir())


def test_a_file_that_is_not_there_is_named(fetch, files, site):
    del site.files[MODEL]

    with pytest.raises(MissingFileError, match="/voice/model.pth: no such file"):
        fetch()


def test_an_encoded_answer_is_refused(fetch, files, site):
    site.always[MODEL] = Fault(content_encoding="gzip")

    with pytest.raises(SourceError, match="the server sends it as 'gzip'"):
        fetch()
    assert "identity" == site.gets(MODEL)[0].headers["accept-encoding"]


def test_a_release_that_is_uploaded_meanwhile_is_planned_again(fetch, files, site):
    """A mirror copies the new files one after another, the manifest last: the first plan is of a mixture."""
    newer = release_files(2, "2")

    def upload(path):
        if path == MODEL:
            site.files.update(at("/voice", newer))
            site.before_get.clear()

    site.before_get.append(upload)
    report = Remarks()

    assert newer == content_of(fetch(report=report))
    assert any("changed while it was read" in line for line in report.lines)


def test_a_manifest_that_arrives_after_its_files_is_read_again(fetch, files, site):
    newer = release_files(2, "2")
    site.files |= {path: content for path, content in at("/voice", newer).items() if not path.endswith((".sha256", ".txt"))}
    before = list(site.gets(MODEL))

    def finish(path):
        if path == MODEL and len(site.gets(MODEL)) > len(before) + 1:
            site.files.update(at("/voice", newer))

    site.before_get.append(finish)

    assert newer == content_of(fetch())


def test_a_source_that_changes_all_the_time_is_an_error(fetch, files, site, installed):
    counter = iter(range(2, 100))

    def change(path):
        if path == "/voice/version.txt":
            site.files["/voice/version.txt"] = f"{next(counter)}\n".encode()

    site.before_get.append(change)

    with pytest.raises(FetchError, match="changed 3 times while it was read"):
        fetch()
    assert installed.latest is None


def test_two_fetches_at_once_read_each_file_once(files, site, tmp_path):
    reports, found = [Remarks(), Remarks()], []

    def fetch(report):
        installed = InstalledReleases(f"{site.url}/voice", tmp_path)
        found.append(fetch_release(installed, LIMITS, report=report))

    threads = [threading.Thread(target=fetch, args=(report,)) for report in reports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [files, files] == [content_of(each) for each in found]
    assert 1 == len(site.gets(MODEL))


def test_an_unfinished_fetch_can_be_interrupted_and_continued(fetch, files, site, installed):
    class Interrupting(Report):
        def progress(self, file, done_bytes, total_bytes):
            if done_bytes > 1000:
                raise KeyboardInterrupt

    site.faults[MODEL] = [Fault(cut_at=2000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(report=Interrupting())
    assert [".etag", ".part"] == sorted(name[64:] for name in leftovers(installed))

    assert files == content_of(fetch())
    assert site.gets(MODEL)[-1].headers["range"].startswith("bytes=")


def _etag_of(content):
    import hashlib

    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
