"""chorus tune: its command line; tests/app/tuning tests the procedure, tests/serving/test_tune.py a real server."""

import subprocess
import sys

import pytest

from app.cli.tune import NoCandidateError, plan_of
from app.tuning.plan import Candidate, parse_objectives
from tests.conftest import ROOT


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\ncache_dir: cache\nlimits: {text_characters: 777}\n")
    return path


def test_defaults_depend_on_the_machine():
    plan = plan_of(777, parse_objectives("total_p95=2s"), None, None, None, None, None, 600.0, 1)

    assert (777, "builtin") == (plan.max_characters, plan.workload.name)
    assert Candidate(plan.cores, 4) == plan.candidates[0]
    assert 2**26 < plan.memory_bytes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--slo", "total_p95"], "'--slo': 'total_p95' is no objective, expected first_audio or total"),
        (["--memory", "8"], "'--memory': '8' is not a size such as 512MiB or 8GiB; the units are B, kB"),
        (["--memory", "1MiB"], "'--memory': '1MiB' is out of bounds, expected 64MiB to"),
        (["--budget", "5s"], "--budget: expected at least"),
        (["--workers", "1,two"], "'--workers': 'two' is none of the numbers 1 to 512; several by commas: 2,4"),
        (["--workers", "0"], "'--workers': '0' is none of the numbers 1 to 512"),
        (["--threads", "1"], "'--threads': '1' is none of the numbers 2 to 64"),
        (["--threads", "٣"], "'--threads': '٣' is none of the numbers"),
        (["--mix", "nowhere.txt"], "'--mix': nowhere.txt: the mix cannot be read"),
        (["--cores", "1024"], "--cores: 1024 cores are wanted, but affinity and CPU quota allow"),
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


def test_no_candidate_has_an_exit_status():
    assert 76 == NoCandidateError.exit_status
