"""chorus key: the key is printed once, with the lines that make the configuration accept it."""

import hashlib

import yaml

from loader.config.settings import load_settings


def test_the_key_goes_to_standard_output_and_the_configuration_lines_to_standard_error(invoke, tmp_path):
    path = tmp_path / "tts_config.yaml"
    done = invoke("key", "--config", path)
    (drawn,) = done.stdout.split()
    path.write_text("model_path: embedded/joe\n" + done.stderr[done.stderr.index("api_keys:") :])

    assert 0 == done.exit_code
    assert drawn not in done.stderr and str(path) in done.stderr
    assert (hashlib.sha256(drawn.encode()).hexdigest(),) == load_settings(path).api_keys.sha256


def test_keys_are_unique_and_long(invoke):
    drawn = [invoke("key").stdout.strip() for _ in range(20)]

    assert 20 == len(set(drawn))
    assert all(50 == len(key) and key.startswith("chorus-") for key in drawn)


def test_the_command_works_without_a_configuration_and_changes_none(invoke, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: embedded/joe\napi_keys: {sha256: []}\n")
    done = invoke("key", "--config", path)

    assert 0 == done.exit_code
    assert [] == yaml.safe_load(path.read_text())["api_keys"]["sha256"]
    assert 0 == invoke("key", "--config", tmp_path / "none.yaml").exit_code


def test_if_the_configuration_has_keys_only_the_line_to_add_is_printed(invoke, tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: embedded/joe\napi_keys:\n  sha256:\n    - {'a' * 64}\n")
    done = invoke("key", "--config", path)
    path.write_text(path.read_text() + done.stderr[done.stderr.index("    - ") :])

    assert "api_keys" not in done.stderr
    assert 2 == len(load_settings(path).api_keys.sha256)
