"""chorus tune: its command line; tests/app/tuning has the procedure, tests/serving/test_tune.py a real server."""

import subprocess
import sys

import pytest
import yaml

from app.cli.tune import NoSettingError, Wanted, asked
from app.tuning.quantities import BadQuantityError
from app.tuning.serving import document_for
from app.tuning.setting import Setting
from loader.config.settings import load_settings
from tests.conftest import ROOT

DEFAULTS = Wanted("first_audio_p95=300ms,total_p95=2s", None, None, None, "10m", 1, None, None)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\ncache_dir: cache\nlimits: {text_characters: 777}\n")
    return path


def test_what_is_asked_for_has_sensible_defaults(config):
    question = asked(DEFAULTS, load_settings(config))

    assert ["first_audio_p95=300ms", "total_p95=2s"] == [str(each) for each in question.objectives]
    assert (600.0, 777, "builtin") == (question.budget_s, question.longest_characters, question.mix.name)
    assert question.cores > 0
    assert Setting(1, 2) == question.settings[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--slo", "total_p95"], "--slo: 'total_p95' is no objective, expected first_audio or total"),
        (["--memory", "8"], "--memory: '8' has no unit, expected one of B, kB"),
        (["--memory", "1MiB"], "--memory: '1MiB' is out of bounds, expected 64MiB to"),
        (["--budget", "5s"], "--budget: the budget is 5s, expected at least"),
        (["--workers", "1,two"], "--workers: 'two' is none of the numbers 1 to 512; several by commas: 2,4"),
        (["--workers", "0"], "--workers: '0' is none of the numbers 1 to 512"),
        (["--threads", "1"], "--threads: '1' is none of the numbers 2 to 64"),
        (["--threads", "٣"], "--threads: '٣' is none of the numbers"),
        (["--mix", "nowhere.txt"], "--mix: nowhere.txt: the mix cannot be read"),
        (["--cores", "1024"], "--cores: 1024 cores are wanted, but affinity allows"),
        (["--cores", "0"], "Invalid value for '--cores': 0 is not in the range 1<=x<=1024"),
    ],
)
def test_a_wrong_option_is_named_with_its_bounds_before_anything_starts(invoke, config, words, said):
    done = invoke("tune", "--config", config, "--out", config.parent / "out", *words)

    assert 64 == done.exit_code
    assert said in done.output
    assert not (config.parent / "out").exists()


def test_a_broken_configuration_ends_it_with_its_status(invoke, tmp_path):
    assert 78 == invoke("tune", "--config", tmp_path / "none.yaml").exit_code


def test_where_nothing_can_be_written_it_says_so_before_it_measures(invoke, config):
    (config.parent / "file").write_text("")
    done = invoke("tune", "--config", config, "--out", config.parent / "file")

    assert 73 == done.exit_code
    assert "--out DIR names another place" in done.output


def test_without_matplotlib_it_names_the_command_that_brings_it(config):
    source = "import sys; sys.modules['matplotlib'] = None; from app.cli.main import main; main()"
    words = [sys.executable, "-c", source, "tune", "--config", str(config), "--out", str(config.parent / "out")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 69 == done.returncode
    assert "pip install --constraint ops/constraints.txt --editable '.[tune]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (config.parent / "out").exists()


def test_its_help_has_examples(invoke):
    done = invoke("tune", "--help")

    assert "chorus tune --slo first_audio_p95=300ms,total_p95=2s --memory 8GiB" in done.output
    assert "status 76" in " ".join(done.output.split())


def test_an_answer_that_is_no_is_status_3():
    assert 76 == NoSettingError.exit_status
    assert 64 == BadQuantityError.exit_status


EVERYTHING = """
voices: [{name: one, model_path: models/one}, {name: two, model_path: tts_models/en/ljspeech/vits}]
cache_dir: some/cache
workers: 7
bind: unix:/run/chorus.sock
limits: {text_characters: 10}
admission: {queue: 1, stall_s: 9}
api_keys: {sha256: [0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}
"""


def test_the_server_that_is_measured_is_the_configured_one_with_what_is_varied(tmp_path):
    (tmp_path / "here").mkdir()
    config, written = tmp_path / "here" / "tts_config.yaml", tmp_path / "written.yaml"
    config.write_text(EVERYTHING)
    settings = load_settings(config)
    document = document_for(yaml.safe_load(EVERYTHING), settings, Setting(3, 5), 12345)
    written.write_text(yaml.safe_dump(document))
    measured = load_settings(written)

    assert (3, 5, "127.0.0.1:12345") == (measured.workers, measured.threads, measured.bind)
    assert settings.voices == measured.voices
    assert settings.cache_dir == measured.cache_dir
    assert settings.limits == measured.limits
    assert settings.admission.stall_s == measured.admission.stall_s
    # It is asked without a key, and what waits is measured instead of refused.
    assert () == measured.api_keys.sha256
    assert measured.admission.queue >= 1000
