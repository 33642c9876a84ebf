"""`chorus bake`: bake the voices that a server would bake at start."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from app.cli import config_option
from app.cli.errors import Problems

if TYPE_CHECKING:
    from loader.config.settings import Settings, VoiceSettings

_ENGINES = ("onnx", "pytorch", "coqui")


@click.command(short_help="Bake the voices that are not baked yet.")
@click.argument("names", nargs=-1, metavar="[VOICE]...")
@config_option
@click.option("--anew", is_flag=True, help="Bake existing artifacts again, and replace them.")
@click.option("--engine", type=click.Choice(_ENGINES), help="Bake for this engine; default: the configuration's.")
def bake(
    names: tuple[str, ...], config: Path, anew: bool, engine: Literal["onnx", "pytorch", "coqui"] | None
) -> None:
    """Bake the configured voices that are not baked yet, or the voices named.

    Prints for each voice its artifact's place and size, and whether it was already baked. Baking needs
    torch and Coqui, which the `bake` extra installs; an artifact can be copied to a machine of
    the same kind that has neither. If a voice cannot be baked, the others are still baked.

    \b
    chorus bake
    chorus bake joe --anew
    chorus bake --engine pytorch --config voices.yaml
    """
    from app.cli.inventory import find_voice
    from loader.config.settings import load_settings

    settings = load_settings(config)
    voices = [find_voice(settings, name) for name in names] or list(settings.voices)
    problems = Problems()
    for voice in dict.fromkeys(voices):
        with problems.report():
            print(baked_line(replace(voice, engine=engine or voice.engine), settings, anew), flush=True)
    problems.end()


def baked_line(voice: "VoiceSettings", settings: "Settings", anew: bool) -> str:
    """Bake `voice` if needed, and return the line to print.

    Raises:
        LoaderError: any of its children.
    """
    from app.cli.inventory import read_baked
    from app.cli.output import megabytes
    from app.cli.progress import watched_stages
    from loader.artifacts.artifact import is_artifact
    from loader.artifacts.resolve import locate_artifact

    is_given = is_artifact(Path(voice.model_path))
    before = set() if is_given else set((settings.cache_dir / "artifacts").glob("*"))
    start_s = time.monotonic()
    with watched_stages():
        directory = locate_artifact(voice, settings, anew)
    took_s = time.monotonic() - start_s
    was_baked = is_given or (directory in before and not anew)
    baked = read_baked(directory)
    how = "already baked" if was_baked else f"baked in {took_s:.1f} s"
    return f"{voice.name}: {baked.engine}, {megabytes(baked.size_bytes)}, {how}: {directory}"
