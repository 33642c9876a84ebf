"""chorus device: print and reset the marker of a full device."""

import json

import pytest

from loader.devices.disabled_flag import DisabledFlag


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\ncache_dir: cache\ndevice: cuda:1\n")
    return path


@pytest.fixture
def marker(tmp_path):
    """A marker written on 1 May."""
    marker = DisabledFlag(tmp_path / "cache", clock=lambda: 1_777_593_600.0)
    marker.write("out of memory while speaking", "cuda:1", 12_345_678)
    return marker


@pytest.mark.parametrize("words", [["device"], ["device", "show"]])
def test_a_marker_is_printed_with_its_facts(invoke, config, marker, words):
    done = invoke(words[0], "--config", config, *words[1:])

    assert 0 == done.exit_code, done.output
    assert [
        "cuda:1: not used since 2026-05-01T00:00:00+00:00",
        "reason: out of memory while speaking",
        "free memory then: 12.3 MB",
        "effect: every voice speaks on the CPU until you run: chorus device reset",
    ] == done.stdout.splitlines()


def test_a_marker_that_expires_is_printed_with_its_end(invoke, config, marker, tmp_path):
    config.write_text(config.read_text() + "device_retry_after_s: 3.0e+7\n")
    done = invoke("device", "--config", config)

    assert "on the CPU until 2027-04-13T05:20:00+00:00, or until you run: chorus device reset" in done.stdout


def test_without_a_marker_the_device_is_in_use(invoke, config):
    assert "cuda:1: as configured; there is no marker\n" == invoke("device", "--config", config).output


def test_reset_removes_the_marker_and_prints_its_facts(invoke, config, marker):
    done = invoke("device", "--config", config, "reset")

    assert 0 == done.exit_code
    assert done.stdout.startswith("reset: cuda:1, not used since 2026-05-01T00:00:00+00:00 (out of memory while speaking)")
    assert marker.read() is None
    assert invoke("device", "--config", config, "reset").stdout.startswith("nothing to reset")


def test_reset_removes_an_unreadable_marker(invoke, config, marker):
    marker.path.write_text(json.dumps(["broken"]))
    done = invoke("device", "--config", config, "reset")

    assert done.stdout.startswith("reset: unknown, not used since ")
    assert not marker.path.exists()


def test_a_marker_that_cannot_be_removed_is_reported(invoke, config, marker):
    marker.path.unlink()
    marker.path.mkdir()
    done = invoke("device", "--config", config, "reset")

    assert 73 == done.exit_code
    assert "cannot be removed" in done.stderr
