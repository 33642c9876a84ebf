"""`chorus verify`: every byte against its hash."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import config_option
from app.cli.errors import Problems

if TYPE_CHECKING:
    from loader.config.settings import Settings, VoiceSettings


@dataclass(frozen=True)
class Target:
    """A directory to be verified."""

    directory: Path
    #: What a model directory's version.txt must say; None accepts any.
    version: str | None = None


@click.command(short_help="Verify every byte of the voices.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@config_option
def verify(paths: tuple[Path, ...], config: Path) -> None:
    """Verify every byte of the configured voices: model directories and artifacts.

    Or of the directories named, each a model directory or an artifact; then no configuration
    is read. Nothing is remembered, built or baked. Every directory is verified, whatever is
    wrong with others; of each bad one the first problem is said, and the exit status is 65.

    \b
    chorus verify
    chorus verify ~/voices/ljspeech ~/.cache/chorus/artifacts/*
    """
    problems = Problems()
    for target in dict.fromkeys([Target(path) for path in paths] or configured_targets(config, problems)):
        with problems.noted():
            print(verified_line(target), flush=True)
    problems.end()


def configured_targets(config: Path, problems: Problems) -> list[Target]:
    """Return what the configuration is served from, as far as it is there; says what is not."""
    from loader.config.settings import load_settings

    settings = load_settings(config)
    targets: list[Target] = []
    for voice in settings.voices:
        with problems.noted():
            found = _targets(voice, settings)
            if not found:
                print(f"{voice.name}: not there yet; chorus bake makes it", flush=True)
            targets += found
    return targets


def verified_line(target: Target) -> str:
    """Verify one directory, and return the line that says it is whole.

    Raises:
        LoaderError: the first problem.
    """
    from app.cli.output import megabytes
    from app.cli.progress import shown_bytes
    from app.cli.reading import Reading, size_bytes
    from loader.artifacts.artifact import is_artifact, open_artifact
    from loader.artifacts.release import open_release

    directory = target.directory
    total_bytes, started_s = size_bytes(directory), time.monotonic()
    with shown_bytes(directory.name, total_bytes, Reading(directory).done_bytes):
        kind = "artifact" if is_artifact(directory) else "model directory"
        if is_artifact(directory):
            open_artifact(directory)
        else:
            open_release(directory, target.version)
    took_s = time.monotonic() - started_s
    return f"{directory}: {kind}, {megabytes(total_bytes)}, verified in {took_s:.1f} s"


def _targets(voice: "VoiceSettings", settings: "Settings") -> list[Target]:
    from app.cli.inventory import artifacts, release_directory
    from loader.artifacts.artifact import is_artifact
    from loader.errors import ModelNotFoundError

    # Before its manifest is read: one that cannot be is what verifying is there to say.
    if is_artifact(Path(voice.model_path)):
        return [Target(Path(voice.model_path))]
    directory = release_directory(voice, settings)
    if directory is None:
        return []
    targets = [Target(directory, voice.version)]
    # A release that cannot even name its artifacts is about to be verified, which says why.
    with suppress(ModelNotFoundError):
        targets += map(Target, artifacts(voice, settings).values())
    return targets
