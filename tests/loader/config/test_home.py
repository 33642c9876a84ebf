"""loader.config.home: the home directory, and a cache folder for libraries even without one."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from loader.config import home
from loader.config.home import expand_home, home_folder, place_library_caches, provide_cache_folder
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

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    expected = "no folder to keep caches in .*; set cache_dir, HOME or TMPDIR to a folder that can be written"
    with pytest.raises(StoreError, match=expected):
        provide_cache_folder()


@pytest.fixture
def no_caches(monkeypatch):
    """A process without folders for caches."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        # Set first, so that the test's own changes are undone.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.setenv("HOME", "/dev/null")


def test_caches_of_libraries_are_kept_below_the_cache_folder(no_caches, tmp_path):
    place_library_caches(tmp_path / "cache")

    assert str(tmp_path / "cache/libraries/numba") == os.environ["NUMBA_CACHE_DIR"]
    assert str(tmp_path / "cache/libraries") == os.environ["XDG_CACHE_HOME"]
    assert not (tmp_path / "cache").exists(), "the libraries make it"
    provide_cache_folder()
    assert str(tmp_path / "cache/libraries") == os.environ["XDG_CACHE_HOME"]


def test_configured_folders_for_caches_are_kept(no_caches, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "all"))
    place_library_caches(tmp_path / "cache")

    assert (str(tmp_path / "numba"), str(tmp_path / "all")) == (os.environ["NUMBA_CACHE_DIR"], os.environ["XDG_CACHE_HOME"])


def test_a_cache_folder_that_cannot_be_written_is_not_used(no_caches):
    place_library_caches(Path("/dev/null/cache"))

    assert "NUMBA_CACHE_DIR" not in os.environ


def test_a_configured_folder_of_numba_that_cannot_be_written_is_named(no_caches, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null/numba")

    with pytest.raises(StoreError, match="NUMBA_CACHE_DIR is /dev/null/numba, where user .* cannot write; unset it, or set"):
        provide_cache_folder()


def test_without_a_folder_for_temporary_files_the_cache_folder_has_them(no_caches, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: (_ for _ in ()).throw(FileNotFoundError("none")))
    place_library_caches(tmp_path / "cache")

    assert str(tmp_path / "cache/libraries") == os.environ["TMPDIR"] and (tmp_path / "cache/libraries").is_dir()
