"""loader.config.home: the home directory, and a cache folder for libraries even without one."""

import os
from types import SimpleNamespace

import pytest

from loader.config import home
from loader.config.home import expand_home, home_folder, provide_cache_folder
from loader.config.settings import load_settings
from loader.errors import ConfigError, StoreError
from tests.conftest import ROOT
from tests.loader.children import answer_of
from tests.support.other_user import interpreter_of_other_user, open_folder


@pytest.fixture
def no_home(monkeypatch):
    """A process without HOME whose user is not in the user database."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(home, "pwd", SimpleNamespace(getpwuid={}.__getitem__))


def test_home_comes_from_the_environment_or_from_the_user_database(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert "/somewhere" == home_folder()
    monkeypatch.delenv("HOME")
    assert os.path.isabs(home_folder())


@pytest.mark.parametrize("value", ["", "relative", "./x"])
def test_a_home_that_is_not_an_absolute_path_is_ignored(monkeypatch, value):
    monkeypatch.setenv("HOME", value)

    assert home_folder() is None and expand_home("~/cache") is None


@pytest.mark.parametrize(
    "path_text, path",
    [("~", "/h"), ("~/a/b", "/h/a/b"), ("a/~/b", "a/~/b"), ("~no-such-user/a", "~no-such-user/a"), ("~x", "~x"), ("/a", "/a")],
)
def test_a_tilde_is_expanded_only_at_the_start(monkeypatch, path_text, path):
    monkeypatch.setenv("HOME", "/h")

    assert path == expand_home(path_text).rstrip("/")


def test_without_a_home_the_cache_is_refused_at_its_first_use(no_home, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: voice")
    settings = load_settings(path)

    assert str(tmp_path / "voice") == settings.voices[0].model_path
    expected = "cache_dir: '~' cannot be expanded: HOME is not set .*; write an absolute path, or set HOME"
    with pytest.raises(ConfigError, match=expected):
        settings.cache_dir


def test_without_a_home_a_voice_below_it_is_refused_at_once(no_home, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("voices: [{name: a, model_path: ~/a}, {name: b, model_path: /b}, {name: c, model_path: ~}]")
    path.write_text(path.read_text().replace("~}", "'~'}"))

    with pytest.raises(ConfigError) as caught:
        load_settings(path)

    assert ["model_path of voice 'a'", "model_path of voice 'c'"] == [each.partition(":")[0] for each in caught.value.problems]


def test_an_absolute_cache_needs_no_home(no_home, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: /a\ncache_dir: {tmp_path}/cache")

    assert tmp_path / "cache" == load_settings(path).cache_dir


CACHE = """
    import json, os
    from loader.config.home import provide_cache_folder
    before = os.environ.get("XDG_CACHE_HOME")
    provide_cache_folder()
    chosen = os.environ.get("XDG_CACHE_HOME")
    if os.fork() == 0:
        raise SystemExit
    os.wait()
    print(json.dumps({"chosen": None if chosen == before else chosen, "there": chosen is not None and os.path.isdir(chosen)}))
"""


@pytest.fixture
def cache_home(tmp_path):
    """Return the cache of a process whose user may write only to a home and to a folder for temporary files."""
    with open_folder() as home, open_folder() as temporary:

        def cache_home(**variables):
            python = interpreter_of_other_user(tmp_path)
            environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), **variables}
            return answer_of(CACHE, python=python, env=environment)

        yield cache_home, home, temporary


def test_a_writable_home_is_left_to_the_libraries(cache_home):
    run, home, temporary = cache_home

    assert run(HOME=str(home))["chosen"] is None
    assert run(HOME="/nonexistent", XDG_CACHE_HOME=str(home / "not" / "yet"))["chosen"] is None
    assert [] == os.listdir(temporary)


@pytest.mark.parametrize("value", [None, "", "/nonexistent", "/dev/null", str(ROOT)])
def test_without_a_writable_home_libraries_get_a_folder_that_ends_with_the_process_and_survives_forks(cache_home, value):
    run, _, temporary = cache_home
    answer = run(**({} if value is None else {"HOME": value}))

    assert answer["chosen"].startswith(f"{temporary}/") and answer["there"]
    assert [] == os.listdir(temporary)


def test_without_a_folder_for_temporary_files_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/x")

    with pytest.raises(StoreError, match="no folder to keep caches in .*; set HOME or TMPDIR to a folder that can be written"):
        provide_cache_folder()
