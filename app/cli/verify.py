"""`chorus verify`: hash every file of the voices."""

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
    from loader.releases.release import Verify


@dataclass(frozen=True)
class Target:
    """A directory to verify."""

    directory: Path
    #: Required content of a model directory's version.txt; None accepts any.
    version: str | None = None
    #: What a model directory needs to be accepted.
    verify: "Verify" = "require"


@click.command(short_help="Verify every byte of the voices.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@config_option
def verify(paths: tuple[Path, ...], config: Path) -> None:
    """Verify every byte of the configured voices: model directories and artifacts.

    With PATH, verify those directories instead, each a model directory or an artifact, and read
    no configuration. Nothing is cached or baked. Every directory is verified; for each damaged
    one the first problem is printed, and the exit status is 65.

    \b
    chorus verify
    chorus verify ~/voices/ljspeech ~/.cache/chorus/artifacts/*
    """
    problems = Problems()
    for target in dict.fromkeys([Target(path) for path in paths] or configured_targets(config, problems)):
        with problems.report():
            print(verified_line(target), flush=True)
    problems.end()


def configured_targets(config: Path, problems: Problems) -> list[Target]:
    """Return the existing directories of the configured voices; prints the names of voices without one."""
    from loader.config.settings import load_settings

    settings = load_settings(config)
    targets: list[Target] = []
    for voice in settings.voices:
        with problems.report():
            found = _targets(voice, settings)
            if not found:
                print(f"{voice.name}: not baked yet; chorus bake bakes it", flush=True)
            targets += found
    return targets


def verified_line(target: Target) -> str:
    """Verify one directory, and return the line to print.

    Raises:
        LoaderError: the first problem.
    """
    from app.cli.output import megabytes
    from app.cli.progress import show_bytes
    from loader.artifacts.artifact import is_artifact, open_artifact
    from loader.releases.release import open_release

    directory = target.directory
    total_bytes, started_s = _size_bytes(directory), time.monotonic()
    hashed = [0]
    kind = "artifact" if is_artifact(directory) else "model directory"
    with show_bytes(directory.name, total_bytes, lambda: sum(hashed)):
        if is_artifact(directory):
            open_artifact(directory, hashed=hashed.append)
        else:
            open_release(directory, target.version, hashed=hashed.append, verify=target.verify)
    took_s = time.monotonic() - started_s
    return f"{directory}: {kind}, {megabytes(total_bytes)}, verified in {took_s:.1f} s"


def _size_bytes(directory: Path) -> int:
    """Return the size of a directory's files, 0 if it cannot be read."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
    return 0


def _targets(voice: "VoiceSettings", settings: "Settings") -> list[Target]:
    from app.cli.inventory import artifacts, release_directory
    from loader.artifacts.artifact import is_artifact
    from loader.artifacts.resolve import verify_mode
    from loader.errors import IntegrityError, ModelNotFoundError

    # By its name only: verification reports an unreadable manifest.
    if is_artifact(Path(voice.model_path)):
        return [Target(Path(voice.model_path))]
    directory = release_directory(voice, settings)
    if directory is None:
        return []
    targets = [Target(directory, voice.version, verify_mode(voice, settings))]
    # A release without a readable list, or without a listed checkpoint, has no artifacts; its verification reports why.
    with suppress(IntegrityError, ModelNotFoundError):
        targets += map(Target, artifacts(voice, settings).values())
    return targets
