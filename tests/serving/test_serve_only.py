"""The serve-only installation: without torch and TTS, with other Python versions, from an artifact baked elsewhere."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.harness import ROOT, Server


def find_python(name):
    """Return an interpreter that can make virtual environments, from the PATH or from pyenv's versions."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for program in (shutil.which(name), *versions.glob(f"*/bin/{name}")):
        command = [str(program), "-c", "import venv, ensurepip"]
        if program and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return str(program)
    return None


@pytest.fixture(scope="module", params=["python3.13", "python3.12"])
def environment(request, tmp_path_factory):
    """A new environment, as `ops/serve --serve-only` makes it; the configuration is missing, so the script stops there."""
    program = find_python(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not on this machine")
    folder = tmp_path_factory.mktemp("serve-only") / "venv"
    variables = {**os.environ, "CHORUS_VENV": str(folder), "PYTHON": program}
    command = ["ops/serve", "--serve-only", "--config", str(folder / "none.yaml")]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert 78 == result.returncode, result.stderr
    assert "no such file" in result.stderr
    return folder


@pytest.mark.parametrize("words", [["--bind", "127.0.0.1:0", "--config"], ["--workers=1", "--config"], ["-c"]])
def test_the_configuration_option_can_be_at_any_position(environment, words, tmp_path):
    variables = {**os.environ, "CHORUS_VENV": str(environment)}
    command = ["ops/serve", "--serve-only", *words, str(tmp_path / "none.yaml"), "--threads", "5"]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    assert 78 == result.returncode, result.stderr
    assert f"{tmp_path / 'none.yaml'}: 1 problem" in result.stderr


def test_an_option_without_its_value_is_reported(environment):
    variables = {**os.environ, "CHORUS_VENV": str(environment)}
    command = ["ops/serve", "--serve-only", "--config"]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    assert (64, "chorus: --config needs a FILE\n") == (result.returncode, result.stderr)


def test_neither_torch_nor_tts_is_installed(environment):
    listed = subprocess.run([environment / "bin/pip", "list"], capture_output=True, text=True, check=True).stdout.lower()

    assert "onnxruntime" in listed
    assert not {"torch", "coqui-tts", "transformers", "librosa", "scipy"} & {line.split()[0] for line in listed.splitlines()}


def test_its_packages_are_compatible(environment):
    subprocess.run([environment / "bin/pip", "check"], check=True, stdout=subprocess.DEVNULL)


def test_an_artifact_baked_elsewhere_can_be_spoken(environment, embedded_artifact, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(embedded_artifact, moved)
    config = tmp_path / "tts_config.yaml"
    config.write_text(yaml.safe_dump({"voices": [{"name": "joe", "model_path": "elsewhere"}], "cache_dir": "cache"}))

    server = Server(config, python=environment / "bin/python").start().ready()
    answer = server.speak("Spoken without torch, on the 21st of May.")
    server.stop(signal.SIGINT)

    assert 200 == answer.status
    assert len(answer.body) > 2 * 22050
    assert not Path(tmp_path / "cache").exists()


def test_the_error_names_what_a_bake_needs(environment, embedded_release, tmp_path):
    config = tmp_path / "tts_config.yaml"
    config.write_text(yaml.safe_dump({"model_path": str(embedded_release), "cache_dir": "cache"}))
    command = [environment / "bin/gunicorn", "-c", "gunicorn.conf.py"]
    variables = {**os.environ, "CHORUS_CONFIG": str(config)}
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    assert 69 == result.returncode
    assert "install the `bake` extra" in result.stderr
    assert "Traceback" not in result.stderr
