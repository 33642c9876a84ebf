"""A configuration with a voice that cannot be opened: the others are served, and everything names that one."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture(params=[True, False], ids=["preload", "no-preload"])
def voices(request, embedded_artifact, tmp_path):
    """Keys of a configuration whose first voice is a folder without a model."""
    (tmp_path / "empty").mkdir()
    listed = [{"name": "broken", "model_path": str(tmp_path / "empty"), "aliases": ["nova"]},
              {"name": "joe", "model_path": str(embedded_artifact)}]  # fmt: skip
    return {"voices": listed, "preload": request.param}


def test_the_good_voice_is_served_and_the_other_is_named_with_the_reason(start, voices, tmp_path):
    server = start("--workers", "1", keys=voices, expects_errors=True).ready()
    ready, status = server.ask("GET", "/readyz").json(), server.ask("GET", "/status").json()
    (missing,) = ready["missing_voices"]

    assert (["joe"], "broken") == (ready["voices"], missing["voice"])
    assert str(tmp_path / "empty") in missing["why"]
    assert [missing] == status["missing_voices"]
    assert re.search(rf'level=ERROR .*event=voice.refused voice=broken reason=".*{tmp_path}/empty', server.log())
    assert 200 == server.speak("Hello.").status
    assert 200 == server.speak("Hello.", voice="joe").status


@pytest.mark.parametrize("voice", ["broken", "nova"])
def test_a_request_for_the_missing_voice_is_refused_with_the_reason_and_without_paths(start, voices, tmp_path, voice):
    server = start("--workers", "1", keys=voices, expects_errors=True).ready()
    answer = server.speak("Hello.", voice=voice)
    error = answer.json()["error"]

    assert (503, "voice_not_served", "voice") == (answer.status, error["code"], error["param"])
    assert error["message"].startswith("voice 'broken' could not be opened: ")
    assert str(tmp_path) not in error["message"]
    assert "false" == answer.headers["x-should-retry"]


def test_a_server_without_one_voice_ends_with_the_reason(write_config, tmp_path):
    (tmp_path / "empty").mkdir()
    config = write_config(voices=[{"name": "broken", "model_path": str(tmp_path / "empty")}])
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--config", str(config), "--bind", "127.0.0.1:0"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode in (65, 66)
    assert f"chorus: {tmp_path / 'empty'}" in done.stderr
