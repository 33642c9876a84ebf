"""chorus serve: the process that it replaces itself with; tests/serving/test_cli.py runs it."""

import os

import pytest

from app.cli import serve
from app.cli.errors import NotInstalledError
from tests.conftest import ROOT


@pytest.fixture
def executed(monkeypatch, tmp_path):
    """The arguments of the exec call: program, command line and environment."""
    executed = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serve.os, "execve", lambda *arguments: executed.extend(arguments))
    return executed


def test_the_command_executes_gunicorn_with_the_process_model(invoke, executed, tmp_path):
    done = invoke("serve", "--bind", "unix:c", "--threads", "5", "--config", "x.yaml", "-w3", "--log-level", "debug")

    assert 0 == done.exit_code, done.output
    program, words, environment = executed
    assert [program, "-m", "gunicorn", "--config", str(ROOT / "gunicorn.conf.py")] == words[:5]
    assert ["--bind", "unix:c", "--workers", "3", "--threads", "5", "--log-level", "debug"] == words[5:]
    assert str(tmp_path / "x.yaml") == environment["CHORUS_CONFIG"]
    assert str(ROOT) == os.getcwd()


def test_without_options_the_configuration_is_used(invoke, executed):
    invoke("serve")

    assert "gunicorn.conf.py" == executed[1][-1].rpartition("/")[2]


def test_a_missing_process_model_is_reported(tmp_path):
    with pytest.raises(NotInstalledError, match="gunicorn.conf.py: no such file; it is the process model: serve from"):
        serve.find_process_model(tmp_path)

    assert 69 == NotInstalledError.exit_status
