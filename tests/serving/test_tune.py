"""chorus tune with the real server and the embedded voice: short runs, whose figures mean nothing."""

import json
import signal
import xml.etree.ElementTree

import pytest

from loader.config.settings import load_settings
from tests.app.cli.running import chorus, interrupt, start

#: One candidate, and an objective that every candidate meets.
QUICK = ("--workers", "2", "--threads", "2", "--budget", "27s", "--slo", "first_audio_p95=30s,total_p95=60s")


@pytest.fixture(scope="module")
def config(write_config):
    # With a key, which the tuner must do without; and a short limit, because the tuner speaks the longest text.
    return write_config(limits={"text_characters": 500}, api_keys={"sha256": ["ab" * 32]})


@pytest.fixture(scope="module")
def tuned(config, tmp_path_factory):
    """The output of a run, and the folder with its files."""
    out = tmp_path_factory.mktemp("tune") / "out"
    return chorus("tune", "--config", config, "--out", out, *QUICK), out


def test_measurements_and_a_plot_are_written(tuned):
    done, out = tuned

    assert 0 == done.returncode, done.stderr
    assert "2 workers of 2 threads: " in done.stdout
    assert done.stderr.splitlines()[0] == "chorus: candidates: 1, budget: 27s"
    assert ["tune.json", "tune.svg", "tune.yaml"] == sorted(path.name for path in out.iterdir())
    record = json.loads((out / "tune.json").read_text())
    assert "whole" == record["ending"]["how"]
    assert {"service", "capacity", "rate"} <= {test["stage"] for test in record["load_tests"]}
    assert {"answered"} == {outcome for test in record["load_tests"] for outcome in test["outcomes"]}
    assert all(0 < size for size in record["memory"][0]["memory"]["worker_uss_bytes"])
    assert "svg" in xml.etree.ElementTree.parse(out / "tune.svg").getroot().tag


def test_the_recommended_configuration_is_written(tuned, tmp_path):
    fragment = (tuned[1] / "tune.yaml").read_text()
    (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\n" + fragment)
    settings = load_settings(tmp_path / "tts_config.yaml")

    assert (2, 2) == (settings.workers, settings.threads)
    assert settings.request_timeout_s > 5
    assert 60.0 == settings.admission.wait_s
    # Each of the five keys has a reason above it.
    lines = [line.strip() for line in fragment.splitlines()]
    keys = [position for position, line in enumerate(lines) if line and line[0] != "#" and line != "admission:"]
    assert 5 == len(keys)
    assert all(lines[position - 1].startswith("# ") for position in keys)


def test_if_no_candidate_meets_the_objectives_the_nearest_is_named(config, tmp_path):
    impossible = (*QUICK[:-1], "first_audio_p95=1ms")
    done = chorus("tune", "--config", config, "--out", tmp_path / "out", "--no-plot", *impossible)

    assert 76 == done.returncode, done.stderr
    assert "chorus: no candidate meets first_audio_p95=1ms; the nearest is 2 workers of 2 threads" in done.stderr
    assert not (tmp_path / "out" / "tune.svg").exists()
    assert "NO CANDIDATE MEETS THE OBJECTIVES" in " ".join((tmp_path / "out" / "tune.yaml").read_text().split("\n# "))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_keeps_the_measurements_and_leaves_no_process(config, tmp_path, how):
    process = start("tune", "--config", config, "--out", tmp_path / "out", *QUICK[:4], "--budget", "40s")
    assert any(b"an idle server takes" in line for line in process.stderr)
    status, errors, living = interrupt(process, how)

    assert 130 == status
    assert not living
    record = json.loads((tmp_path / "out" / "tune.json").read_text())
    assert "interrupted" == record["ending"]["how"]
    assert record["load_tests"][0]["results"]
    assert "chorus: interrupted" in errors
