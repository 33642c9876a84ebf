"""A user without a home and an entry in the user database: commands work, or one line names the reason."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.family_checkpoints import family_releases
from tests.support.harness import Server
from tests.support.other_user import interpreter_of_other_user, open_folder

WITHOUT_HOME = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@pytest.fixture
def other_user(tmp_path):
    """Return a function that runs a chorus command as that user, in a folder where every user can write."""
    python = interpreter_of_other_user(tmp_path)
    with open_folder() as folder:

        def run(*words, **variables):
            command = [python, "-m", "app.cli", *map(str, words)]
            environment = {**WITHOUT_HOME, "TMPDIR": str(folder), **variables}
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
            )
            assert "Traceback" not in done.stdout + done.stderr, done.stderr
            return done

        yield folder, run


def write_config_in(folder, **keys):
    path = folder / "tts_config.yaml"
    path.write_text(yaml.safe_dump(keys))
    return path


def test_the_command_bakes_into_an_absolute_cache_for_every_engine(other_user, tiny_release):
    folder, run = other_user
    config = write_config_in(folder, model_path=str(tiny_release), cache_dir=str(folder / "cache"))

    for engine in ("onnx", "pytorch"):
        done = run("bake", "--engine", engine, "--config", config)
        assert 0 == done.returncode, done.stderr

    # Neither a folder named `~` nor files that libraries cached.
    assert {"cache", "tts_config.yaml"} == set(os.listdir(folder))
    assert {"artifacts", "verified.json"} == set(os.listdir(folder / "cache")) - {"libraries"}


#: Makes everything read-only but one folder, for the programs that it starts.
READ_ONLY = """
    set -e
    mount -t tmpfs tmpfs "$1"
    for place in / /tmp /var/tmp /dev/shm "$2"; do
        [ -d "$place" ] || continue
        mount --bind "$place" "$place" && mount -o remount,ro,bind "$place"
    done
    mount -t tmpfs -o mode=777 tmpfs "$1"
    ! touch "$2/x" /tmp/x 2> /dev/null
    printf 'model_path: %s\\ncache_dir: %s/cache\\n' "$3" "$1" > "$1/tts_config.yaml"
    cd "$1"
    "$4" -m app.cli bake --config "$1/tts_config.yaml"
    "$4" -m app.cli say Hello. --config "$1/tts_config.yaml" --output "$1/hello.wav"
    ls "$1" "$1/cache"
"""


def test_with_a_read_only_root_and_without_a_home_a_voice_is_baked_and_speaks(tmp_path):
    """numba compiles parts of librosa, and wants a folder for them."""
    python, release = interpreter_of_other_user(tmp_path), family_releases()["glow_tts"]
    with open_folder() as folder:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", folder, ROOT, release, python], env=WITHOUT_HOME,
            capture_output=True, text=True, timeout=480, check=False,
        )  # fmt: skip
        if "mount:" in done.stderr:
            pytest.skip("this machine permits no mounts, so no root can be made read-only")

    assert 0 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    assert {"hello.wav", "libraries", "artifacts"} <= set(done.stdout.split())


@pytest.mark.parametrize("home", [None, "", "relative"])
@pytest.mark.parametrize("command", [["bake"], ["say", "Hello."], ["serve", "--bind", "127.0.0.1:0"]], ids=lambda words: words[0])
def test_the_default_cache_is_refused_with_the_remedy(other_user, command, home):
    folder, run = other_user
    config = write_config_in(folder, model_path="embedded/joe")
    done = run(*command, "--config", config, **({} if home is None else {"HOME": home}))

    assert 78 == done.returncode, done.stderr
    expected = "cache_dir: '~' cannot be expanded: HOME is not set to an absolute path; write an absolute path, or set HOME\n"
    assert done.stderr.endswith(expected)
    assert 2 == len(done.stderr.splitlines())
    assert ["tts_config.yaml"] == os.listdir(folder)


@pytest.mark.parametrize(
    "home, remedy",
    [("/nonexistent", "let user 54321 write there"), ("/dev/null", "remove the file that is in the place of a folder")],
)
def test_an_unusable_home_is_reported_with_the_remedy(other_user, tiny_release, home, remedy):
    folder, run = other_user
    done = run("bake", "--config", write_config_in(folder, model_path=str(tiny_release)), HOME=home)

    assert 73 == done.returncode, done.stderr
    assert done.stderr.startswith(f"chorus: {home}/.cache/chorus/artifacts: ")
    assert done.stderr.endswith(f"; {remedy}, or set cache_dir to another folder\n")
    assert 1 == len(done.stderr.splitlines())


def test_a_baked_voice_needs_no_cache_and_no_home(other_user, embedded_artifact):
    folder, run = other_user
    config = write_config_in(folder, model_path=str(embedded_artifact))

    for command in (["bake"], ["verify"], ["voices"], ["say", "Hello.", "--output", folder / "hello.wav"]):
        done = run(*command, "--config", config)
        assert 0 == done.returncode, done.stderr
    assert {"tts_config.yaml", "hello.wav"} == set(os.listdir(folder))


def test_a_baked_voice_is_served(other_user, embedded_artifact, tmp_path):
    folder, _ = other_user
    config = write_config_in(folder, model_path=str(embedded_artifact))
    server = Server(config, python=without_home(tmp_path)).start().ready()
    answer = server.speak("Hello.")
    server.stop()

    assert 200 == answer.status
    assert ["tts_config.yaml"] == os.listdir(folder)
    assert not Path(ROOT, "~").exists()


def without_home(folder):
    """Return that user's interpreter, which the harness starts with our environment but without HOME."""
    program = folder / "python-without-home"
    program.write_text(f'#!/bin/sh\nunset HOME\nexec {folder / "python"} "$@"\n')
    program.chmod(0o755)
    return program
