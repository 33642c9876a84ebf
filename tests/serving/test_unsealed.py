"""Model directories without a seal, as people have them, behind a real server."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.harness import Server


@pytest.fixture(scope="module")
def folder(tiny_release, tmp_path_factory):
    """A trainer's folder that no process writes to: two checkpoints, a log, no seal."""
    folder = tmp_path_factory.mktemp("unsealed") / "run-1"
    folder.mkdir()
    shutil.copyfile(tiny_release / "config.json", folder / "config.json")
    for name in ("best_model_1500.pth", "checkpoint_2000.pth"):
        shutil.copyfile(tiny_release / "model_file.pth", folder / name)
    (folder / "trainer_0_log.txt").write_text("epoch 1")
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def refusal_of(config):
    """Return the status and the last line of a server that does not start."""
    words = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--bind", "127.0.0.1:0"]
    environment = {**os.environ, "CHORUS_CONFIG": str(config)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr.splitlines()[-1]


def test_an_unsealed_folder_is_refused_with_the_one_command_that_seals_it(write_config, folder):
    status, line = refusal_of(write_config(voices=[{"name": "mine", "model_path": str(folder)}]))

    assert 65 == status
    assert line.startswith(f"chorus: {folder}/hash.sha256: expected ")
    assert line.endswith(f"seal the directory with: chorus seal {folder}")


def test_a_read_only_folder_without_a_seal_is_served_with_a_warning_if_the_configuration_allows_it(write_config, folder, cache):
    voices = [{"name": "mine", "model_path": str(folder)}]
    for start in ("first", "second"):
        server = Server(write_config(voices=voices, verify="warn", cache_dir=str(cache)), ("--workers", "1")).start().ready()
        answer, log = server.speak("Hello."), server.log()
        server.stop()

        assert 200 == answer.status
        assert f"{folder}: not sealed; its files are taken as they are" in log
        # The second start hashes nothing and bakes nothing.
        assert ("starting torch and Coqui" in log) is (start == "first")
    assert {"config.json", "best_model_1500.pth", "checkpoint_2000.pth", "trainer_0_log.txt"} == set(os.listdir(folder))


def test_a_checkpoint_can_be_named_by_its_path(write_config, folder, cache):
    """It has the same weights, so that only its name tells which one was read."""
    voices = [{"name": "mine", "model_path": str(folder / "checkpoint_2000.pth"), "verify": "off"}]
    server = Server(write_config(voices=voices, cache_dir=str(cache)), ("--workers", "1")).start().ready()
    answer, log = server.speak("Hello."), server.log()
    server.stop()

    assert 200 == answer.status
    assert f"verifying {folder}/checkpoint_2000.pth" in log


def test_a_folder_that_others_can_write_is_refused_though_the_configuration_allows_it(write_config, folder):
    folder.chmod(0o777)
    try:
        status, line = refusal_of(write_config(voices=[{"name": "mine", "model_path": str(folder)}], verify="warn"))
    finally:
        folder.chmod(0o555)

    assert 65 == status
    assert f"{folder}: every user can write it; chmod o-w; seal the directory with: chorus seal {folder}" in line
