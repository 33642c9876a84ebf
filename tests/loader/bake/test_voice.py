"""python -m loader.bake: a valid checkpoint becomes an artifact; otherwise there is an error, a status and no folder."""

import hashlib
import os
import subprocess
import sys

import pytest

from loader.artifacts import resolve
from loader.artifacts.artifact import open_artifact
from loader.artifacts.resolve import locate_artifact
from loader.config.settings import load_settings
from loader.errors import BakeError, IntegrityError, MissingPackageError, ModelNotFoundError
from loader.releases.embedded import EMBEDDED_VERSION
from tests.loader.bake.damaged import configure, error_line, set_keys
from tests.loader.children import ROOT, TIMEOUT_S, answer_of


@pytest.fixture
def settings(release, tmp_path):
    """A configuration of `release` with its own cache."""
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: {release}\ncache_dir: {tmp_path / 'cache'}\n")
    return load_settings(path)


def names_in(settings):
    return sorted(path.name for path in (settings.cache_dir / "artifacts").iterdir() if path.suffix != ".lock")


def test_the_error_is_the_last_line_and_sets_the_exit_status(release, bake):
    configure(release, set_keys(model_args__encoder_sample_rate=11025))

    done = bake()

    assert 69 == done.returncode
    assert "encoder_sample_rate is set" in error_line(done)


def test_a_changed_file_is_refused_before_torch_is_imported(release, bake):
    with (release / "model_file.pth").open("ab") as file:
        file.write(b"\0")

    done = bake()

    assert 65 == done.returncode
    assert f"{release / 'model_file.pth'}: expected sha256 " in error_line(done)
    assert "starting torch" not in done.stderr


def test_a_failed_bake_leaves_nothing_and_has_the_status_of_the_child(settings, release, capfd):
    configure(release, set_keys(model_args__encoder_sample_rate=11025))

    with pytest.raises(BakeError, match="ended with status 69; its last line above says why") as caught:
        locate_artifact(settings.voices[0], settings)

    assert 69 == caught.value.exit_status
    assert "encoder_sample_rate" in capfd.readouterr().err.splitlines()[-1]
    assert [] == names_in(settings)


def test_a_server_that_cannot_bake_exits_with_the_status_of_the_child_and_without_a_traceback(settings, release):
    configure(release, set_keys(model_args__hidden_channels=16))

    done = subprocess.run(
        [sys.executable, "-m", "app.health"], cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(settings.path)},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert 70 == done.returncode
    assert "its weights do not fit config.json" in done.stderr
    assert "ended with status 70" in error_line(done)
    assert [] == names_in(settings)


def test_a_configured_release_is_verified_before_it_is_baked(settings, release):
    (release / "config.json").write_text("{}")

    with pytest.raises(IntegrityError, match="config.json"):
        locate_artifact(settings.voices[0], settings)

    assert not (settings.cache_dir / "artifacts").exists()


BAKE = """
    import sys
    from loader.config.settings import load_settings
    from loader.artifacts.resolve import locate_artifact
    settings = load_settings(sys.argv[1])
    print(locate_artifact(settings.voices[0], settings))
    print([name for name in ("torch", "TTS", "onnx", "onnxruntime") if name in sys.modules])
"""


def test_kill_9_of_a_real_bake_leaves_nothing_and_the_next_one_succeeds(settings):
    """The server is killed during the bake; its child must not continue in a folder that another process removes."""
    words = [sys.executable, "-c", "\n".join(line.strip() for line in BAKE.splitlines()), settings.path]
    artifacts = settings.cache_dir / "artifacts"
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        while not list(artifacts.glob(".*.tmp/encode.bin")):
            assert server.poll() is None, server.stderr.read()
        server.kill()
        # The pipe ends when its last writer has ended: the bake child, too.
        written = server.stderr.read()

    assert b"writing and optimizing" in written and b"sealing" not in written
    assert 1 == len(names_in(settings)) and names_in(settings)[0].endswith(".tmp")

    artifact = locate_artifact(settings.voices[0], settings)

    assert [artifact.name] == names_in(settings)
    open_artifact(artifact)


def test_a_killed_bake_child_is_an_error_that_names_the_signal(settings, tmp_path):
    """The kernel kills the largest process if memory is short."""
    answer = answer_of("""
        import json, os, signal, subprocess, sys
        from loader.config.settings import load_settings
        from loader.errors import BakeError
        from loader.artifacts.resolve import locate_artifact
        settings = load_settings(sys.argv[1])
        class Killed(subprocess.Popen):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                self.send_signal(signal.SIGKILL)
        subprocess.Popen = Killed
        try:
            locate_artifact(settings.voices[0], settings)
        except BakeError as error:
            print(json.dumps([str(error), error.exit_status]))
        """, settings.path)

    assert ["the bake child was ended by SIGKILL; its last line above says why", 70] == answer
    assert [] == names_in(settings)


def test_two_servers_that_start_together_bake_once_and_a_third_does_not_bake(settings, release, capfd):
    words = [sys.executable, "-c", "\n".join(line.strip() for line in BAKE.splitlines()), settings.path]
    servers = [
        subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [server.communicate(timeout=TIMEOUT_S) for server in servers]

    assert [0, 0] == [server.returncode for server in servers], outputs
    assert 1 == len({out for out, _ in outputs})
    assert "[]" == outputs[0][0].splitlines()[-1], "the parent of a bake imported a module of the bake"
    silent, written = sorted((err for _, err in outputs), key=len)
    assert "" == silent
    for stage in ("verifying", "loading the checkpoint", "writing and optimizing", "sealing"):
        assert 1 == written.count(f"chorus: {stage}")

    artifact = locate_artifact(settings.voices[0], settings)

    assert "" == capfd.readouterr().err
    assert [artifact.name] == names_in(settings)
    opened = open_artifact(artifact)
    assert artifact.name == opened.manifest.key
    assert opened.manifest.source["hashes"] == {
        name: hashlib.sha256((release / name).read_bytes()).hexdigest() for name in ("config.json", "model_file.pth")
    }


def health_on_a_disk_of(size, model_path, tmp_path):
    """Run the health check with a cache on a disk of that size, then list the files left there."""
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount.parent / "tts_config.yaml").write_text(f"model_path: {model_path}\ncache_dir: {mount}\n")
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", mount], check=False).returncode:
        pytest.skip("this machine permits no mounts in a user namespace, so no disk can be filled")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs "$1" && "$2" -m app.health; status=$?; '
         'find "$1" -type f; exit $status', "sh", mount, sys.executable],
        cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(tmp_path / "tts_config.yaml")},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


# The artifact has 3,768 KiB: the error comes from ONNX Runtime writing weights or a graph, or from Python.
@pytest.mark.parametrize("size", ["1m", "3m", "3600k"])
def test_a_bake_on_a_full_disk_is_an_error_and_leaves_nothing(release, tmp_path, size):
    done = health_on_a_disk_of(size, release, tmp_path)

    assert 74 == done.returncode, done.stderr
    reason = f"{tmp_path}/mount/artifacts: No space left on device; make room there, or set cache_dir to another folder"
    assert f"chorus: {reason}" in done.stderr.splitlines()
    assert "ended with status 74" in error_line(done)
    left = {line.rpartition("/")[2].split(".")[-1] for line in done.stdout.splitlines()}
    assert {"lock", "json"} == left, "only the lock and the memory of verified files may be left"


def test_an_embedded_voice_that_does_not_fit_is_an_error_and_leaves_nothing(tmp_path):
    done = health_on_a_disk_of("20m", "embedded/joe", tmp_path)

    assert 73 == done.returncode, done.stderr
    assert f"{tmp_path}/mount/releases: embedded-{EMBEDDED_VERSION} cannot be stored" in error_line(done)
    assert "No space left on device" in error_line(done)
    assert "make room there, or set cache_dir to another folder" in error_line(done)
    assert [f".embedded-{EMBEDDED_VERSION}.lock"] == [line.rpartition("/")[2] for line in done.stdout.splitlines()]


def test_the_bake_child_ends_if_its_parent_has_already_ended(bake):
    done = bake("--parent", "1" if os.getpid() != 1 else "2")

    assert done.returncode != 0
    assert "verifying" not in done.stderr


def test_an_unknown_embedded_voice_is_refused(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: embedded/nobody\ncache_dir: {tmp_path}\n")
    settings = load_settings(path)

    with pytest.raises(ModelNotFoundError, match="'embedded/nobody': the only embedded voice is embedded/joe"):
        locate_artifact(settings.voices[0], settings)


def test_a_bake_without_coqui_names_the_command_that_installs_it(monkeypatch, release, settings):
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(MissingPackageError, match=f"run .*{ROOT}/ops/serve --full --install, or set model_path"):
        resolve.run_bake("voice", release, settings.cache_dir, "onnx")
