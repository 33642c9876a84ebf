"""chorus tune: its command line; tests/app/tuning tests the procedure, tests/serving/test_tune.py a real server."""

import subprocess
import sys

import pytest
import yaml

from app.cli.tune import NoCandidateError, Options, question_of
from app.tuning.candidate import Candidate, document_for
from app.tuning.units import BadQuantityError
from loader.config.settings import load_settings
from tests.app.cli.running import run_at_terminal
from tests.conftest import ROOT

DEFAULTS = Options("first_audio_p95=300ms,total_p95=2s", None, None, None, "10m", 1, None, None)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\ncache_dir: cache\nlimits: {text_characters: 777}\n")
    return path


def test_options_have_defaults(config):
    question = question_of(DEFAULTS, load_settings(config))

    assert ["first_audio_p95=300ms", "total_p95=2s"] == [str(each) for each in question.objectives]
    assert (600.0, 777, "builtin") == (question.budget_s, question.max_characters, question.workload.name)
    assert question.cores > 0
    assert Candidate(1, 2) == question.candidates[0]


@pytest.mark.parametrize(
    ("words", "message"),
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
def test_a_wrong_option_is_reported_with_its_bounds_before_anything_starts(invoke, config, words, message):
    done = invoke("tune", "--config", config, "--out", config.parent / "out", *words)

    assert 64 == done.exit_code
    assert message in done.output
    assert not (config.parent / "out").exists()


def test_a_broken_configuration_exits_with_its_status(invoke, tmp_path):
    assert 78 == invoke("tune", "--config", tmp_path / "none.yaml").exit_code


def test_an_unusable_output_folder_is_reported_before_the_measurement(invoke, config):
    (config.parent / "file").write_text("")
    done = invoke("tune", "--config", config, "--out", config.parent / "file")

    assert 73 == done.exit_code
    assert "--out DIR names another place" in done.output


def test_without_matplotlib_the_error_names_the_install_command(config):
    source = "import sys; sys.modules['matplotlib'] = None; from app.cli.main import main; main()"
    words = [sys.executable, "-c", source, "tune", "--config", str(config), "--out", str(config.parent / "out")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 69 == done.returncode
    assert "pip install --constraint ops/constraints.txt --editable '.[tune]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (config.parent / "out").exists()


def test_the_help_text_has_examples(invoke):
    done = invoke("tune", "--help")

    assert "chorus tune --slo first_audio_p95=300ms,total_p95=2s --memory 8GiB" in done.output
    assert "status 76" in " ".join(done.output.split())


def test_every_error_has_its_exit_status():
    assert 76 == NoCandidateError.exit_status
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


def test_the_measured_server_has_the_configuration_with_the_candidates_values(tmp_path):
    (tmp_path / "here").mkdir()
    config, written = tmp_path / "here" / "tts_config.yaml", tmp_path / "written.yaml"
    config.write_text(EVERYTHING)
    settings = load_settings(config)
    document = document_for(yaml.safe_load(EVERYTHING), settings, Candidate(3, 5), 12345)
    written.write_text(yaml.safe_dump(document))
    measured = load_settings(written)

    assert (3, 5, "127.0.0.1:12345") == (measured.workers, measured.threads, measured.bind)
    assert settings.voices == measured.voices
    assert settings.cache_dir == measured.cache_dir
    assert settings.limits == measured.limits
    assert settings.admission.stall_s == measured.admission.stall_s
    # Without API keys, and with a queue that measures requests instead of refusing them.
    assert () == measured.api_keys.sha256
    assert measured.admission.queue >= 1000


PROGRESS = """
import sys
from app.cli.tune import tuning_progress
with tuning_progress(600.0) as progress:
    progress.doing("2 x 4: warming [up]")
    progress.done("1 x 2: [bold]3.00[/bold] requests a second")
    sys.stdin.read(1)
"""


def test_a_terminal_shows_results_and_the_current_step_with_a_clock():
    shown = run_at_terminal(PROGRESS, until="0:00:0")

    assert "chorus: 1 x 2: [bold]3.00[/bold] requests a second\r\n" in shown
    assert "2 x 4: warming [up]" in shown


def test_without_a_terminal_results_are_lines():
    done = subprocess.run([sys.executable, "-c", PROGRESS], cwd=ROOT, input="", capture_output=True, text=True, check=True)

    assert "chorus: 1 x 2: [bold]3.00[/bold] requests a second\n" == done.stderr
