"""docs/migrate-openai.md: every program in it speaks, and its configuration maps the names of OpenAI's voices."""

import shutil
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT
from tests.test_docs import code_blocks

GUIDE = (ROOT / "docs/migrate-openai.md").read_text(encoding="utf-8")
EXAMPLE_URL = "http://127.0.0.1:8080"
MP3 = (b"ID3", b"\xff\xfb", b"\xff\xf3")


def blocks(language):
    found = code_blocks(GUIDE, language)
    assert found and all(EXAMPLE_URL in block for block in found)
    return [pytest.param(block, id=f"{language} {number}") for number, block in enumerate(found)]


@pytest.fixture
def at(server):
    """Return a program of the guide with the address of the server."""
    return lambda program: program.replace(EXAMPLE_URL, f"http://127.0.0.1:{server.port}")


@pytest.mark.parametrize("program", blocks("python"))
def test_the_python_programs_write_an_mp3(program, at, tmp_path):
    subprocess.run([sys.executable, "-c", at(program)], cwd=tmp_path, check=True, timeout=120)

    assert (tmp_path / "speech.mp3").read_bytes().startswith(MP3)


@pytest.mark.parametrize("program", blocks("javascript"))
def test_the_javascript_programs_write_an_mp3(program, at, run_node, tmp_path):
    path = tmp_path / "speech.mp3"
    source = at(program).replace('"speech.mp3"', "process.env.TARGET") + "\nconsole.log(null);"

    run_node("openai-npm", source, TARGET=str(path))

    assert path.read_bytes().startswith(MP3)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("program", blocks("sh"))
def test_the_shell_command_writes_an_mp3(program, at, tmp_path):
    subprocess.run(["sh", "-e", "-c", at(program)], cwd=tmp_path, check=True, timeout=120)

    assert (tmp_path / "speech.mp3").read_bytes().startswith(MP3)


def test_the_aliases_of_the_configuration_select_the_voices(start, tiny_release):
    (block,) = code_blocks(GUIDE, "yaml")
    server = start(keys=yaml.safe_load(block.replace("/srv/voices/anna", str(tiny_release)))).ready()

    def voice_of(name):
        answer = server.speak("Hello.", voice=name)
        assert 200 == answer.status, answer.body
        lines = [line for line in server.log().splitlines() if answer.headers["X-Request-ID"] in line]
        return lines[0].partition(" voice=")[2].split()[0]

    assert {"echo": "joe", "nova": "anna", "shimmer": "anna", "alloy": "joe"} == {
        name: voice_of(name) for name in ("echo", "nova", "shimmer", "alloy")
    }
