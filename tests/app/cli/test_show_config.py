"""chorus show-config: the output is a configuration with the same meaning."""

from dataclasses import replace

import pytest
import yaml

from loader.config.settings import load_settings

EVERYTHING = """
voices:
- {name: one, model_path: models/one, version: 1, aliases: [alloy, "ünï"], engine: pytorch, speaker: 7, language: de,
   length_scale: 1.1, noise_scale: 0, noise_scale_duration: 0.5, preload: false}
- {name: two, model_path: tts_models/en/ljspeech/vits}
- {name: three, model_path: ~/three}
device: cuda:1
use_cache: false
mmap: false
quantization: {enabled: true, backend: pytorch}
engine: auto
preload: false
cache_dir: some/cache
bind: unix:/run/chorus.sock
workers: 3
threads: 8
request_timeout_s: 7
log_format: json
limits: {text_characters: 10, body_bytes: 2048}
api_keys: {sha256: [0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef], public_listings: false}
cors_origins: [https://app.example.com, "http://localhost:5173"]
speech: {sentence_pause_s: 0.1, length_scale: 1.2, noise_scale: 0.3, noise_scale_duration: 0.4}
"""


@pytest.mark.parametrize("document", ["model_path: embedded/joe\n", "model_path: voice\nversion: 3\n", EVERYTHING])
def test_reading_the_output_gives_the_same_settings(invoke, document, tmp_path):
    (tmp_path / "here").mkdir()
    first = tmp_path / "here" / "tts_config.yaml"
    first.write_text(document)
    shown = invoke("show-config", "--config", first)
    second = tmp_path / "shown.yaml"
    second.write_text(shown.stdout)

    assert (0, "") == (shown.exit_code, shown.stderr)
    assert load_settings(first) == replace(load_settings(second), path=first)
    assert shown.stdout == invoke("show-config", "--config", second).stdout


def test_defaults_are_printed_and_paths_are_absolute(invoke, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: voice\ncache_dir: cache\n")
    shown = yaml.safe_load(invoke("show-config", "--config", path).stdout)

    assert str(tmp_path / "cache") == shown["cache_dir"]
    assert str(tmp_path / "voice") == shown["voices"][0]["model_path"]
    assert 4 == shown["threads"]


def test_lexicons_are_printed_with_absolute_paths(invoke, tmp_path):
    path, shown = tmp_path / "tts_config.yaml", tmp_path / "shown.yaml"
    path.write_text(
        "voices: [{name: one, model_path: one, lexicons: [{path: own.tsv, language: de}]}]\n"
        "speech: {lexicons: [{path: all.tsv, language: en}]}\n"
    )
    (tmp_path / "own.tsv").write_text("SQL\tEsskuell\n")
    (tmp_path / "all.tsv").write_text("SQL\tsequel\n")
    shown.write_text(invoke("show-config", "--config", path).stdout)

    assert [{"path": str(tmp_path / "all.tsv"), "language": "en"}] == yaml.safe_load(shown.read_text())["speech"]["lexicons"]
    assert load_settings(path) == replace(load_settings(shown), path=path)


def test_every_problem_of_every_lexicon_file_is_reported(invoke, tmp_path):
    path = tmp_path / "tts_config.yaml"
    files = ", ".join(f"{{path: {name}, language: en}}" for name in ("a.tsv", "none.tsv", "a.csv"))
    path.write_text(f"model_path: embedded/joe\nspeech: {{lexicons: [{files}]}}\n")
    (tmp_path / "a.tsv").write_text("SQL\tsequel\nSQL\nSQL\t/x\n")
    done = invoke("show-config", "--config", path)

    assert (78, "") == (done.exit_code, done.stdout)
    assert [
        f"chorus: {path}: 4 problems",
        f"  {tmp_path}/a.tsv: line 2: 'SQL' has 1 column; write term<TAB>respelling or term<TAB>/ipa/",
        f"  {tmp_path}/a.tsv: line 3: '/x' has one slash or no phonemes; write IPA between two slashes: /ˈaɪ piː eɪ/",
        f"  {tmp_path}/none.tsv: it cannot be read: No such file or directory; check the path and its permissions",
        f"  {tmp_path}/a.csv: the name ends in '.csv'; name it .tsv or .pls, after its format",
    ] == done.stderr.splitlines()


def test_the_configuration_file_can_come_from_the_environment(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from app.cli.main import chorus

    path = tmp_path / "mine.yaml"
    path.write_text("model_path: embedded/joe\nthreads: 9\n")
    done = CliRunner().invoke(chorus, ["show-config"], env={"CHORUS_CONFIG": str(path)})

    assert "threads: 9\n" in done.stdout


def test_every_problem_of_the_file_is_reported(invoke, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\nthreads: 1\ndevise: cpu\n")
    done = invoke("show-config", "--config", path)

    assert 78 == done.exit_code
    assert f"chorus: {path}: 2 problems" == done.stderr.splitlines()[0]
    assert "" == done.stdout
