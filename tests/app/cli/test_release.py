"""chorus release: what it prints, its statuses, and how a running server is asked."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from app.cli.activation import find_server, targets_of
from app.cli.release import release as group
from loader.releases.installed import InstalledReleases
from loader.releases.sealing import seal_release
from tests.app.cli.running import chorus, run_at_terminal
from tests.conftest import ROOT
from tests.loader.releases.folders import at, release_files, release_id
from tests.support.hostile_server import Fault, hostile_server


@pytest.fixture
def source(tmp_path):
    """A folder with release 1."""
    folder = tmp_path / "source"
    folder.mkdir()
    write(folder, release_files(1))
    return folder


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def config(source, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"voices: [{{name: joe, model_path: '{source.as_uri()}'}}]\ncache_dir: cache\n")
    return path


@pytest.fixture
def installed(config, source, tmp_path):
    return InstalledReleases(source.as_uri(), tmp_path / "cache")


@pytest.fixture
def release(invoke, config):
    """Run a command of the group with the configuration."""
    return lambda command, *words: invoke("release", command, *words, "--config", config)


@pytest.fixture
def two(release, source, installed):
    """Releases 1, which is current, and 2, which is fetched."""
    release("fetch")
    installed.offer(installed.latest.id)
    first = installed.accept()
    write(source, release_files(2, "2"))
    release("fetch")
    return first, installed.latest


def test_every_command_reads_the_configuration_and_has_an_example(invoke):
    for name in group.commands:
        done = invoke("release", name, "--help")

        assert 0 == done.exit_code
        assert f"\n  chorus release {name}" in done.output and "-c, --config FILE" in done.output


def test_check_says_what_is_new_by_its_status(release, source, installed):
    new = release("check")
    release("fetch")
    fetched = release("check")
    installed.offer(installed.latest.id)
    installed.accept()
    current = release("check")

    short = release_id(release_files(1))[:12]
    named = f"joe: release {short}, version 1"
    assert (100, f"{named}, is new; chorus release fetch fetches it\n") == (new.exit_code, new.stdout)
    assert (100, f"{named}, is fetched; chorus release activate offers it\n") == (fetched.exit_code, fetched.stdout)
    assert (0, f"{named}, is current\n") == (current.exit_code, current.stdout)


def test_check_does_not_count_a_rejected_release_as_new(release, two, installed):
    installed.offer(two[1].id)
    installed.reject("voice 'joe' is silent")

    done = release("check")
    assert (0, True) == (done.exit_code, "was rejected: voice 'joe' is silent" in done.stdout)


def test_check_of_a_source_that_is_gone_has_the_status_of_the_error(release, source):
    shutil.rmtree(source)

    done = release("check")
    assert (66, f"chorus: {source}/hash.sha256: no such file\n") == (done.exit_code, done.stderr)


def test_fetch_makes_nothing_current(release, installed):
    done = release("fetch")

    assert 0 == done.exit_code
    named = f"joe: release {installed.latest.short_id}, version 1"
    assert f"{named}, 0.3 MB, is here; chorus release activate offers it" in done.stdout
    assert (None, None) == (installed.current, installed.candidate)


FETCHING = """
import sys
from app.cli.main import chorus
sys.exit(chorus(["release", "fetch", "--config", sys.argv[1]], standalone_mode=False))
"""


def test_a_fetch_at_a_terminal_shows_the_file_and_how_much_has_come(tmp_path):
    with hostile_server() as site:
        site.files.update(at("/joe", release_files(1)))
        site.faults["/joe/model.pth"] = [Fault(stall_at=150_000)]
        config = tmp_path / "tts_config.yaml"
        config.write_text(f"model_path: {site.url}/joe\ncache_dir: cache\nreleases: {{timeout_s: 2}}\n")

        shown = run_at_terminal(FETCHING, config)

    assert "joe model.pth" in shown and "150.0/300.2 kB" in shown
    assert "chorus: joe: tries again in" in shown


def test_list_has_a_line_for_each_release(release, two, installed):
    installed.pin(two[0].id)
    first, second = [line.split() for line in release("list").stdout.splitlines()[1:]]

    assert ["joe", two[1].short_id, "2", "fetched", "0.3", "MB"] == first[:6]
    assert ["joe", two[0].short_id, "1", "current,", "pinned", "0.3", "MB"] == second[:7]


def test_a_long_reason_is_cut_in_the_table_and_whole_in_json(release, two, installed):
    installed.offer(two[1].id)
    installed.reject("silent " * 50)

    assert max(map(len, release("list").stdout.splitlines())) < 180
    assert ["rejected: " + "silent " * 50] == json.loads(release("list", "--json").stdout)[0]["state"]


def test_list_as_json_has_whole_ids_and_states(release, two, installed, source):
    installed.offer(two[1].id)
    installed.reject("silent")

    rows = json.loads(release("list", "--json").stdout)
    assert [(two[1].id, ["rejected: silent"]), (two[0].id, ["current"])] == [(row["id"], row["state"]) for row in rows]
    assert {("joe", source.as_uri())} == {(row["voices"][0], row["source"]) for row in rows}


def test_a_configuration_without_sources_is_named(invoke, settings):
    for command in group.commands:
        done = invoke("release", command, "--config", settings.path)

        assert 66 == done.exit_code
        assert f"chorus: {settings.path}: no voice has a URL as its model_path" in done.stderr


def test_an_unknown_voice_is_named(release, config):
    done = release("list", "bob")

    assert (64, True) == (done.exit_code, "no voice named 'bob'; known voices: joe" in done.stderr)


def test_pin_and_unpin(release, two, installed):
    assert f"joe: release {two[0].short_id}, version 1, is pinned\n" == release("pin").stdout
    assert two[0] == installed.pinned
    refused = release("activate")
    assert (66, True) == (refused.exit_code, f"release {two[0].short_id} is pinned" in refused.stderr)

    assert "joe: no release is pinned\n" == release("pin", "--none").stdout
    assert installed.pinned is None
    assert 64 == release("pin", "--none", "--id", "3f21").exit_code


def test_gc_says_what_it_removes_and_how_much(release, source, two, installed, config):
    installed.offer(two[1].id)
    installed.accept()
    write(source, release_files(3, "3"))
    release("fetch")
    installed.offer(installed.latest.id)
    installed.accept()
    artifact = installed.directory.parent.parent / "artifacts" / "x"
    artifact.mkdir(parents=True)
    hashes = dict(line.split("  ")[::-1] for line in release_files(1)["hash.sha256"].decode().splitlines())
    (artifact / "manifest.json").write_text(json.dumps({"source": {"hashes": hashes}}))

    dry = release("gc", "--dry-run")
    assert 3 == len(installed.list()) and artifact.exists()
    done = release("gc")

    assert done.stdout == dry.stdout.replace("would remove", "removed")
    assert "joe: removed artifacts/x, 0.0 MB" in done.stdout
    assert f"snapshots/{two[0].id}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("joe: removed 4 files and folders, 0.3 MB, below ")
    assert ["2", "3"] == sorted(each.version for each in installed.list()) and not artifact.exists()


def test_gc_of_a_source_that_was_never_fetched_removes_nothing(release, tmp_path):
    done = release("gc")

    assert (0, f"joe: removed 0 files and folders, 0.0 MB, below {tmp_path / 'cache'}\n") == (done.exit_code, done.stdout)


def test_gc_names_sources_of_no_voice_and_leaves_them(release, two, installed):
    other = installed.directory.with_name("other-000000000000")
    (other / "blobs").mkdir(parents=True)

    last = release("gc").stdout.splitlines()[-1]
    assert f"{other}: of no voice of this configuration; remove it if no other one uses it" == last
    assert (other / "blobs").is_dir()


def test_activate_without_anything_to_activate_says_so(release, installed, two):
    installed.offer(two[1].id)
    installed.accept()

    done = release("activate")
    assert (0, f"joe: release {two[1].short_id}, version 2, is current\n") == (done.exit_code, done.stdout)


def test_a_rejected_release_is_tried_again_with_its_id_only(release, installed, two):
    installed.offer(two[1].id)
    installed.reject("silent")

    done = release("activate")
    assert 0 == done.exit_code
    again = f"was rejected: silent; chorus release activate joe --id {two[1].short_id} tries it again\n"
    assert done.stdout.endswith(again)
    assert two[0] == installed.current


def test_rollback_without_a_previous_release_is_an_error(release, two):
    done = release("rollback")

    assert (66, True) == (done.exit_code, "joe: no previous release is installed" in done.stderr)


#: A process with a scoreboard and a configuration, which decides as a server does when it gets SIGHUP.
SERVER = """
import os, signal, sys
from pathlib import Path
from app.scoreboard.board import Scoreboard
from loader.releases.installed import InstalledReleases
board = Scoreboard(2)
installed = InstalledReleases(sys.argv[1], Path(sys.argv[2]))
decide = {
    "accept": installed.accept, "reject": lambda: installed.reject("voice 'joe' is silent"), "end": lambda: os._exit(1),
    "refuse": lambda: board.show_rollout("refused", "bind is 1 and would be 2"), "wait": lambda: None,
    "withdraw": lambda: (installed.offer(installed.current.id), installed.accept()),
}[sys.argv[3]]
signal.signal(signal.SIGHUP, lambda *arguments: decide())
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def serve(config, source, tmp_path):
    """Start servers of the configuration."""
    running = []

    def serve(decision, config=config):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, source.as_uri(), tmp_path / "cache", decision], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "CHORUS_CONFIG": str(config)},
        )  # fmt: skip
        running.append(process)
        assert "ready\n" == process.stdout.readline()
        return process

    yield serve
    for process in running:
        process.communicate()


def test_the_server_of_the_configuration_is_asked_and_accepts(release, serve, two, installed):
    server = serve("accept")

    done = release("activate")
    assert (0, f"joe: release {two[1].short_id}, version 2, is current (by the server {server.pid})\n") == (
        done.exit_code, done.stdout,
    )  # fmt: skip
    assert (two[1], two[0]) == (installed.current, installed.previous)

    done = release("rollback")
    assert (0, f"joe: release {two[0].short_id}, version 1, is current (by the server {server.pid})\n") == (
        done.exit_code, done.stdout,
    )  # fmt: skip
    assert "rolled back" == installed.rejected[two[1].id].reason
    assert 0 == release("activate").exit_code and two[0] == installed.current


def test_a_rejection_is_printed_with_its_reason(release, serve, two, installed):
    serve("reject")

    done = release("activate")
    reason = "was rejected: voice 'joe' is silent"
    assert (65, f"chorus: joe: release {two[1].short_id}, version 2, {reason}\n") == (done.exit_code, done.stderr)
    assert two[0] == installed.current


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ("end", "ended before it decided"), ("wait", "has not decided on release"), ("withdraw", "was withdrawn meanwhile"),
        ("refuse", "refused its configuration: bind is 1 and would be 2; release"),
    ],
    ids=["ends", "waits", "withdraws", "refuses"],
)
def test_a_server_that_does_not_decide_is_an_error(decision, words, release, serve, two, installed):
    serve(decision)

    done = release("activate", "--wait", "1")
    assert (75, True) == (done.exit_code, words in done.stderr)
    assert two[0] == installed.current


def test_servers_of_other_configurations_are_left_alone(serve, config, tmp_path):
    other = tmp_path / "other.yaml"
    serve("accept", other)
    assert find_server(config, None) is None

    server = serve("accept")
    assert server.pid == find_server(config, None).pid


def test_of_several_servers_one_must_be_selected(release, serve, two, installed):
    first, second = serve("accept"), serve("reject")

    done = release("activate")
    assert (75, True) == (done.exit_code, f"--pid {first.pid}" in done.stderr and f"--pid {second.pid}" in done.stderr)
    assert installed.candidate is None

    assert 0 == release("activate", "--pid", first.pid).exit_code


def test_a_process_that_is_no_server_is_refused(release, two, installed):
    # Not this process, which has scoreboards of other tests.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        done = release("activate", "--pid", other.pid)
        other.communicate(b"\n")

    assert other.returncode == 0
    assert (75, True) == (done.exit_code, "is not a Chorus server of this version" in done.stderr)
    assert installed.candidate is None


def test_releases_of_another_user_are_left_alone(release, two, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    for command in ("fetch", "activate", "rollback", "gc", "pin"):
        done = release(command)
        assert 77 == done.exit_code, command
        assert f"belongs to user {os.getuid()}; run this command as that user" in done.stderr


@pytest.fixture
def real(tiny_release, tmp_path):
    """A configuration whose source is a release that can be baked and speaks."""
    shutil.copytree(tiny_release, tmp_path / "real")
    config = tmp_path / "real.yaml"
    config.write_text(f"voices: [{{name: tiny, model_path: '{(tmp_path / 'real').as_uri()}'}}]\ncache_dir: real_cache\n")
    return config


def test_without_a_server_the_command_bakes_speaks_and_decides(real, tmp_path):
    assert 0 == chorus("release", "fetch", "--config", real).returncode
    done = chorus("release", "activate", "--config", real)

    assert 0 == done.returncode, done.stderr
    assert done.stdout.endswith(" is current (no server runs)\n")
    (target,) = targets_of(real, None)
    first = target.installed.current
    names = [path.name for path in (tmp_path / "real").glob("*.*") if path.name not in ("version.txt", "hash.sha256")]
    (tmp_path / "real" / "config.json").write_text("{}")
    seal_release(tmp_path / "real", "2", names)
    assert 0 == chorus("release", "fetch", "--config", real).returncode
    done = chorus("release", "activate", "--config", real)

    assert 65 == done.returncode
    assert "was rejected: the bake child ended with status" in done.stderr
    assert first == target.installed.current and target.installed.candidate is None
