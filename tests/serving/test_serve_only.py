"""The first installation: without torch and TTS, with other Python versions; and when the rest is added to it."""

import os
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import quote

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


def serve(environment, *words, **variables):
    """Run `ops/serve` to its end in an environment."""
    variables = {**os.environ, "CHORUS_VENV": str(environment), **variables}
    return subprocess.run(["ops/serve", *words], cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def checkpoint_config(tiny_release, tmp_path):
    """A configuration whose voice has to be baked from a checkpoint."""
    config = tmp_path / "tts_config.yaml"
    config.write_text(yaml.safe_dump({"model_path": str(tiny_release), "cache_dir": "cache"}))
    return config


@pytest.mark.parametrize("words", [["--bind", "127.0.0.1:0", "--config"], ["--workers=1", "--config"], ["-c"]])
def test_the_configuration_option_can_be_at_any_position(environment, words, tmp_path):
    result = serve(environment, "--serve-only", *words, str(tmp_path / "none.yaml"), "--threads", "5")

    assert 78 == result.returncode, result.stderr
    assert f"{tmp_path / 'none.yaml'}: 1 problem" in result.stderr


@pytest.mark.parametrize("option, value", [("--config", "a FILE"), ("--torch-index", "a URL, or cpu")])
def test_an_option_without_its_value_is_reported(environment, option, value):
    result = serve(environment, "--serve-only", option)

    assert (64, f"chorus: {option} needs {value}\n") == (result.returncode, result.stderr)


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


def test_the_default_configuration_speaks(environment, tmp_path):
    """Its voice is made from its package, in the first start."""
    config = tmp_path / "tts_config.yaml"
    default = yaml.safe_load((ROOT / "tts_config.yaml").read_text())
    config.write_text(yaml.safe_dump({**default, "cache_dir": "cache"}))
    needing = subprocess.run(
        [environment / "bin/chorus", "serve", "--needs-torch", "--config", config], capture_output=True, text=True, check=True
    )

    server = Server(config, python=environment / "bin/python").start().ready()
    answers = [server.speak("Made without torch.", response_format=each) for each in ("wav", "mp3", "opus", "flac", "aac")]
    mapped = [path for path in server.master.open_files() if path.path.startswith(str(tmp_path))]
    server.stop(signal.SIGINT)

    assert "" == needing.stdout
    assert [200] * 5 == [answer.status for answer in answers]
    # From Python 3.13 on a mapping keeps no descriptor.
    assert bool(mapped) == ("python3.12" in str(next((environment / "lib").iterdir())))


def test_the_error_names_the_command_that_installs_what_a_bake_needs(environment, checkpoint_config):
    command = [environment / "bin/gunicorn", "-c", "gunicorn.conf.py"]
    variables = {**os.environ, "CHORUS_CONFIG": str(checkpoint_config)}
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    assert 69 == result.returncode
    assert f"run CHORUS_VENV={environment} {ROOT}/ops/serve --full --install, or" in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_only_names_the_voices_that_need_more(environment, checkpoint_config, tiny_release):
    result = serve(environment, "--serve-only", "--config", str(checkpoint_config))

    assert 69 == result.returncode
    needs, advice = result.stderr.splitlines()
    name = tiny_release.name
    assert f"chorus: voice {name} needs torch and Coqui to bake its checkpoint: {tiny_release}" == needs
    assert "baked elsewhere" in advice


def write_wheel(folder, name, version, requires=()):
    """Write a wheel without any module into an index of packages."""
    stem = f"{name.replace('-', '_')}-{version}"
    (folder / name).mkdir(parents=True, exist_ok=True)
    needed = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (folder / name / "index.html").write_text(f'<a href="{quote(stem)}-py3-none-any.whl">{stem}-py3-none-any.whl</a>')
    with zipfile.ZipFile(folder / name / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.fixture
def index(environment, tmp_path):
    """An index with torch for CUDA, one with torch for CPUs; and the variables of a pip that knows the first one only."""
    write_wheel(tmp_path / "cuda", "torch", "2.13.0", ["nvidia-cublas==13.1.0"])
    write_wheel(tmp_path / "cuda", "nvidia-cublas", "13.1.0")
    write_wheel(tmp_path / "cpu", "torch", "2.13.0+cpu")
    yield {
        "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "",
        "PIP_INDEX_URL": (tmp_path / "cuda").as_uri(),
    }  # fmt: skip
    subprocess.run(
        [environment / "bin/pip", "uninstall", "--yes", "torch", "nvidia-cublas"],
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull}, check=True, capture_output=True,
    )  # fmt: skip


def installed_torch(environment):
    listed = subprocess.run([environment / "bin/pip", "list"], capture_output=True, text=True, check=True).stdout
    return [line.split()[1] for line in listed.splitlines() if line.startswith("torch ")]


def test_a_checkpoint_installs_torch_and_says_before_that_it_is_the_build_for_cuda(environment, checkpoint_config, index):
    """Coqui itself is not in that index, so that the call ends there, with pip's reason."""
    result = serve(environment, "--install", "--config", str(checkpoint_config), **index)

    assert 69 == result.returncode
    lines = result.stderr.splitlines()
    assert "to bake its checkpoint" in lines[0]
    assert "build for CUDA here: some 3 GB" in lines[2]
    assert "--torch-index cpu" in lines[3]
    assert "No matching distribution found for" in result.stderr
    assert "chorus: pip could not install" in lines[-1]
    assert ["2.13.0"] == installed_torch(environment)


def test_torch_comes_from_the_index_that_is_named(environment, checkpoint_config, index, tmp_path):
    other = f"--torch-index={(tmp_path / 'cpu').as_uri()}"

    result = serve(environment, "--full", other, "--install", "--config", str(checkpoint_config), **index)

    assert 69 == result.returncode
    assert "CUDA" not in result.stderr
    assert ["2.13.0+cpu"] == installed_torch(environment)
