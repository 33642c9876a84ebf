"""The child that fetches: killed at any step, beside another one, on a full disk. What is published is whole."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading

import msgspec
import pytest

from loader.config.settings import ReleaseSettings, load_settings
from loader.errors import FetchError
from loader.releases.fetch import fetch_release
from loader.releases.fetch_process import FetchRequest, fetch_in_child, snapshot_to_serve
from loader.releases.installed import InstalledReleases
from loader.storage.open_files import OpenFiles
from tests.loader.children import ROOT, TIMEOUT_S
from tests.loader.releases.folders import LIMITS, at, content_of, release_files, release_id
from tests.loader.releases.killing import killed_at_every_step
from tests.support.hostile_server import Fault, hostile_server
from tests.support.waiting import until


@pytest.fixture
def site():
    with hostile_server() as site:
        site.files.update(at("/voice", release_files(1)))
        yield site


@pytest.fixture
def settings(site, tmp_path):
    return configure(site, tmp_path)


def configure(site, tmp_path, **more):
    path = tmp_path / "tts_config.yaml"
    voice = {"name": "joe", "model_path": f"{site.url.replace('://', '://me:secret@')}/voice", **more}
    path.write_text(json.dumps({"voices": [voice], "cache_dir": str(tmp_path / "cache"), "releases": {"timeout_s": 5}}))
    return load_settings(path)


def installed_of(settings):
    return InstalledReleases(settings.voices[0].model_path, settings.cache_dir)


def request_of(site, cache_dir, timeout_s=5.0):
    return msgspec.json.encode(FetchRequest(f"{site.url}/voice", str(cache_dir), None, ReleaseSettings(timeout_s=timeout_s)))


def events(caplog):
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def test_the_first_start_fetches_and_accepts(settings, capfd):
    found = snapshot_to_serve(settings.voices[0], settings)

    assert release_files(1) == content_of(found)
    assert found == installed_of(settings).current
    written = capfd.readouterr().err
    assert f"release {found.short_id}, version 1, is here" in written and "secret" not in written


def test_later_starts_ask_nobody(settings, site):
    first = snapshot_to_serve(settings.voices[0], settings)
    site.seen.clear()
    site.files.clear()

    assert first == snapshot_to_serve(settings.voices[0], settings)
    assert [] == site.seen


def test_a_candidate_is_served_to_those_who_ask_for_it(settings, site):
    first = snapshot_to_serve(settings.voices[0], settings)
    site.files.update(at("/voice", release_files(2, "2")))
    newer = fetch_in_child(settings.voices[0], settings)
    assert first == snapshot_to_serve(settings.voices[0], settings, use_candidates=True)

    installed_of(settings).offer(newer)
    assert first == snapshot_to_serve(settings.voices[0], settings)
    assert newer == snapshot_to_serve(settings.voices[0], settings, use_candidates=True).id


def test_another_version_than_wanted_is_served_and_logged(settings, site, tmp_path, caplog):
    first = snapshot_to_serve(settings.voices[0], settings)
    wanting = configure(site, tmp_path, version="2")
    site.files.clear()

    with caplog.at_level(logging.WARNING, "chorus.loader"):
        assert first == snapshot_to_serve(wanting.voices[0], wanting)
    assert [("release.outdated", "joe", "1", "2", first.short_id)] == [
        (each["event"], each["voice"], each["version"], each["wanted"], each["release"]) for each in events(caplog)
    ]
    assert "secret" not in str(events(caplog))


def test_a_first_start_without_a_source_is_an_error_with_the_child_s_status(settings, site, capfd):
    del site.files["/voice/hash.sha256"]

    with pytest.raises(FetchError, match="ended with status 66; its last line above says why") as caught:
        snapshot_to_serve(settings.voices[0], settings)
    assert 66 == caught.value.exit_status and caught.value.permanent
    assert f"chorus: {site.url}/voice/hash.sha256: no such file (404)" == capfd.readouterr().err.splitlines()[-1]


def test_a_password_is_not_in_the_child_s_command_line(settings, site):
    site.faults["/voice/model.pth"] = [Fault(stall_at=10)]
    starter = threading.Thread(target=lambda: fetch_in_child(settings.voices[0], settings))
    starter.start()
    until(lambda: site.gets("/voice/model.pth"))
    seen = [each for each in _children() if "loader.releases" in each]
    site.closing.set()

    starter.join()
    assert seen and "secret" not in seen[0]


def _children():
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True, check=False)
    return listed.stdout.splitlines()


def test_the_child_ends_with_its_parent(site, tmp_path):
    site.always["/voice/model.pth"] = Fault(stall_at=10)
    source = "import subprocess, sys, os; subprocess.run([sys.executable, '-m', 'loader.releases', '--parent', str(os.getpid())])"
    with subprocess.Popen([sys.executable, "-c", source], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        parent.stdin.write(request_of(site, tmp_path))
        parent.stdin.close()
        until(lambda: site.gets("/voice/model.pth"))
        parent.kill()
        # The pipe ends when its last writer, the child, has ended.
        parent.stderr.read()

    del site.always["/voice/model.pth"]
    assert release_files(1) == content_of(fetch_release(InstalledReleases(f"{site.url}/voice", tmp_path), LIMITS))


def test_ctrl_c_keeps_what_has_come(site, tmp_path):
    site.faults["/voice/model.pth"] = [Fault(stall_at=100_000)]
    words = [sys.executable, "-m", "loader.releases"]
    installed = InstalledReleases(f"{site.url}/voice", tmp_path)
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdin.write(request_of(site, tmp_path, timeout_s=100.0))
        child.stdin.close()
        until(lambda: [path for path in installed.partial.glob("*.part") if path.stat().st_size >= 65_536])
        child.send_signal(signal.SIGINT)
        written = child.stderr.read().decode()

    assert 130 == child.returncode and "Traceback" not in written
    assert release_files(1) == content_of(fetch_release(installed, LIMITS))
    assert site.gets("/voice/model.pth")[-1].headers["range"].startswith("bytes=")


def test_kill_9_at_every_step_of_a_fetch_tears_nothing(site, quick_folder):
    """Each child is killed before another access of the disk, and the next fetch completes what it left."""
    url, files = f"{site.url}/voice", release_files(1)
    work = """
        from loader.config.settings import ReleaseSettings
        from loader.releases.fetch import fetch_release
        fetch_release(installed, ReleaseSettings(timeout_s=5.0))
        """

    folders = killed_at_every_step(work, url, quick_folder)

    assert len(folders) > 20
    nothing_open = OpenFiles(quick_folder)
    for folder in folders:
        installed = InstalledReleases(url, folder)
        assert all(files == content_of(snapshot) for snapshot in installed.list())
        assert files == content_of(fetch_release(installed, LIMITS))
        assert [release_id(files)] == [each.id for each in installed.list()]
        installed.collect(open_files=nothing_open)
        assert [] == [path for path in folder.rglob("*") if path.suffix in (".tmp", ".part", ".etag")]
    assert installed.latest is not None


def test_a_repository_of_a_hub_is_fetched_with_its_token(site, tmp_path):
    site.files.update(at("/owner/joe/resolve/v1", release_files(3, "3")))
    request = msgspec.json.encode(FetchRequest("hf:owner/joe@v1", str(tmp_path), None, LIMITS))
    done = subprocess.run(
        [sys.executable, "-m", "loader.releases"], cwd=ROOT, input=request, capture_output=True, check=False,
        env={**os.environ, "HF_ENDPOINT": site.url, "HF_TOKEN": "hf_secret", "HF_HOME": str(tmp_path)},
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr.decode()
    assert release_files(3, "3") == content_of(InstalledReleases("hf:owner/joe@v1", tmp_path).latest)
    assert {"Bearer hf_secret"} == {each.headers["authorization"] for each in site.seen}
    assert b"secret" not in done.stderr


def test_a_full_disk_is_an_error_that_names_the_folder_and_the_need(site, tmp_path):
    done = fetch_on_a_disk_of("1m", site, tmp_path)

    assert 73 == done.returncode, done.stderr
    assert "bytes are needed for http://127.0.0.1" in done.stderr and "make room there (chorus release gc)" in done.stderr


def test_a_disk_that_fills_meanwhile_is_an_error_and_keeps_nothing(site, tmp_path):
    """The source claims no sizes, so the need is not known before."""
    site.files.update(at("/voice", release_files(1, big=os.urandom(30_000_000))))
    site.heads["/voice/big"] = Fault(content_length="")
    done = fetch_on_a_disk_of("20m", site, tmp_path)

    assert 73 == done.returncode, done.stderr
    assert "No space left on device" in done.stderr and "set cache_dir to another folder" in done.stderr
    assert not [line for line in done.stdout.splitlines() if line.endswith(".part")]


def fetch_on_a_disk_of(size, site, tmp_path):
    """Fetch into a disk of that size, then list the files left there."""
    mount = tmp_path / "mount"
    mount.mkdir()
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", mount], check=False).returncode:
        pytest.skip("this machine permits no mounts in a user namespace, so no disk can be filled")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs "$1" && "$2" -m loader.releases; status=$?; '
         'find "$1" -type f; exit $status', "sh", mount, sys.executable],
        cwd=ROOT, input=request_of(site, mount).decode(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


def test_two_children_at_once_read_each_file_once(settings, site, capfd):
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch_in_child(settings.voices[0], settings))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [release_id(release_files(1))] * 2 == found
    assert 1 == len(site.gets("/voice/model.pth"))
