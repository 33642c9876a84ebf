"""chorus: the group of all commands."""

import importlib.metadata

import pytest

from app.cli.main import chorus as group
from app.startup import DEFAULT_CONFIG
from tests.app.cli.running import chorus, close_output, start

NAMES = [
    "serve", "wyoming", "import", "seal", "bake", "verify", "voices", "release", "say", "device", "key", "top", "tune",
    "show-config",
]  # fmt: skip
#: Commands without --config: two use a running server, one works on a folder alone, one is a group whose commands have it.
WITHOUT_CONFIGURATION = {"top", "wyoming", "seal", "release"}


def test_the_version_is_that_of_the_package(invoke):
    assert f"chorus {importlib.metadata.version('chorus-tts')}\n" == invoke("--version").output


def test_every_command_is_listed_in_one_line(invoke):
    listed = invoke("--help").output.partition("Commands:\n")[2].splitlines()

    assert NAMES == [line.split()[0] for line in listed]
    assert all(line.endswith(".") and "..." not in line for line in listed)


@pytest.mark.parametrize("name", NAMES)
def test_every_help_text_has_an_example_and_the_configuration(invoke, name):
    done = invoke(name, "--help")

    assert 0 == done.exit_code
    assert f"\n  chorus {name}" in done.output
    assert ("-c, --config FILE" in done.output) is (name not in WITHOUT_CONFIGURATION)


def test_every_command_reads_the_same_configuration_file_as_the_server():
    for name, command in group.commands.items():
        if name in WITHOUT_CONFIGURATION:
            continue
        (config,) = [option for option in command.params if option.name == "config"]

        assert (DEFAULT_CONFIG, "CHORUS_CONFIG") == (str(config.default), config.envvar)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--bogus"], "chorus: No such option '--bogus'; see chorus --help"),
        (["recite"], "chorus: No such command 'recite'; see chorus --help"),
        (["voices", "--config"], "chorus: --config needs a FILE"),
        (["serve", "--bind"], "chorus: --bind needs a HOST:PORT"),
        (["voices", "--json=1"], "chorus: Option '--json' does not take a value"),
        (["say"], "chorus: Missing argument 'TEXT'; see chorus say --help"),
    ],
)
def test_a_wrong_command_line_prints_one_line_and_exits_with_64(invoke, words, line):
    done = invoke(*words)

    assert (64, "", f"{line}\n") == (done.exit_code, done.stdout, done.stderr)


def test_a_missing_configuration_exits_with_78_without_a_traceback(tmp_path):
    done = chorus("voices", "--config", tmp_path / "none.yaml")

    assert (78, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"chorus: {tmp_path / 'none.yaml'}: 1 problem\n")
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_not_an_error(settings, embedded_artifact):
    assert (0, "") == close_output(start("voices", "--config", settings.path))
