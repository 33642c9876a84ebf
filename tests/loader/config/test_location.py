"""URLs of sources: which values of model_path are one, what is shown of them, and where their releases are kept."""

import pytest

from loader.config.location import folder_name, is_source, shown
from loader.config.settings import load_settings
from loader.errors import ConfigError

SOURCES = {
    "file:///srv/voices/joe": "srv-voices-joe",
    "https://host.example/voices/joe/": "host.example-voices-joe",
    "https://me:secret@host.example/voices/joe?token=secret": "host.example-voices-joe",
    "http://127.0.0.1:8000/joe": "127.0.0.1-8000-joe",
    "hf:owner/repo@v1": "owner-repo-v1",
    "s3://bucket/joe": "bucket-joe",
    "gs://bucket/joe": "bucket-joe",
}


def configure(tmp_path, model_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"voices: [{{name: joe, model_path: '{model_path}'}}]\ncache_dir: {tmp_path}\n")
    return load_settings(path)


@pytest.mark.parametrize("source", SOURCES)
def test_a_url_is_kept_as_it_is(source, tmp_path):
    assert source == configure(tmp_path, source).voices[0].model_path


@pytest.mark.parametrize("name", ["file", "/srv/https:/x", "models/x", "C:/models", "embedded/joe", "ftp://host/x", "https:"])
def test_other_values_are_no_sources(name):
    assert not is_source(name)


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_secret_is_shown(source):
    assert "secret" not in shown(source) and "secret" not in folder_name(source)


@pytest.mark.parametrize(("source", "folder"), SOURCES.items(), ids=SOURCES)
def test_a_folder_is_named_by_place(source, folder):
    assert folder == folder_name(source)[:-13]


def test_other_credentials_have_the_same_folder_and_other_places_others():
    assert folder_name("https://a:b@host/x/") == folder_name("https://host/x?token=1")
    assert len(SOURCES) - 1 == len({folder_name(source) for source in SOURCES})


@pytest.mark.parametrize(
    "source", ["http://[::1/x", "https://host:port/x", "https://host/a b", "https://host/\u200b", "https://h:99999999/x"]
)
def test_what_is_no_url_is_a_problem_of_the_configuration(source, tmp_path):
    with pytest.raises(ConfigError, match="model_path of voice 'joe': not a URL"):
        configure(tmp_path, source)


def test_the_only_voice_is_named_by_the_end_of_its_url(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: https://me:secret@host/voices/joe/?token=secret\n")

    assert "joe" == load_settings(path).voices[0].name


def test_the_public_key_is_relative_to_the_configuration(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\nreleases: {public_key: keys/release.pem}\n")

    assert str(tmp_path / "keys" / "release.pem") == load_settings(path).releases.public_key
