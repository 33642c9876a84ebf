"""app.serving.sockets: a socket that cannot be made is refused before gunicorn tries."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.serving.sockets import require_socket_places
from loader.errors import ConfigError

SETTINGS = SimpleNamespace(path=Path("tts_config.yaml"))


def refusal(path, environment=()):
    try:
        require_socket_places([("127.0.0.1", 80), str(path)], SETTINGS, dict(environment))
    except ConfigError as error:
        (problem,) = error.problems
        return problem
    return None


def test_what_has_the_place_of_a_socket_is_named(tmp_path):
    (tmp_path / "file").touch()

    assert f"bind: {tmp_path / 'file'}: not a socket; remove it, or bind another path" == refusal(tmp_path / "file")
    assert f"bind: {tmp_path}: not a socket; remove it, or bind another path" == refusal(tmp_path)
    assert f"bind: {tmp_path / 'none'}: no such folder; make it, or bind another path" == refusal(tmp_path / "none" / "socket")
    assert f"bind: {tmp_path / 'file' / 'socket'}: Not a directory" == refusal(tmp_path / "file" / "socket")


def test_a_socket_of_before_and_a_free_place_are_taken(tmp_path):
    with socket.socket(socket.AF_UNIX) as before:
        before.bind(str(tmp_path / "socket"))

    assert refusal(tmp_path / "socket") is None
    assert refusal(tmp_path / "free") is None


def test_a_folder_in_which_nothing_may_be_made_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    assert f"bind: {tmp_path}: user {os.geteuid()} may not write there" == refusal(tmp_path / "socket")


@pytest.mark.parametrize("name", ["LISTEN_FDS", "GUNICORN_FD"])
def test_listeners_that_are_inherited_need_no_place(tmp_path, name):
    assert refusal(tmp_path / "none" / "socket", {name: "1"}.items()) is None
