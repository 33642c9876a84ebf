"""`chorus bake`: make what a server would make when it starts."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.endings import Problems
from app.cli.options import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings, VoiceSettings

_ENGINES = ("onnx", "pytorch", "coqui")


@click.command(short_help="Bake the voices that are not baked yet.")
@click.argument("names", nargs=-1, metavar="[VOICE]...")
@config_option
@click.option("--anew", is_flag=True, help="Bake also what is there, and put it in its place.")
@click.option("--engine", type=click.Choice(_ENGINES), help="Bake for this engine; default: the configuration's.")
def bake(names: tuple[str, ...], config: Path, anew: bool, engine: str | None) -> None:
    """Bake the configured voices that are not baked yet, or those named.

    Says of each where its artifact is, how large, and whether it was there. Baking takes
    torch and Coqui, which the `bake` extra installs; an artifact can be copied to a machine
    of the same kind that has neither. A voice that cannot be baked does not keep the others
    from it.

    \b
    chorus bake
    chorus bake joe --anew
    chorus bake --engine pytorch --config voices.yaml
    """
    from app.cli.inventory import configured
    from loader.config.settings import load_settings

    settings = load_settings(config)
    chosen = [configured(settings, name) for name in names] or list(settings.voices)
    problems = Problems()
    for voice in dict.fromkeys(chosen):
        with problems.noted():
            print(baked_line(replace(voice, engine=engine or voice.engine), settings, anew), flush=True)
    problems.end()


def baked_line(voice: "VoiceSettings", settings: "Settings", anew: bool) -> str:
    """Have `voice` baked, and return the line that says what came of it.

    Raises:
        LoaderError: any of its children.
    """
    from app.cli.display import watched_stages
    from app.cli.figures import megabytes
    from app.cli.inventory import read_baked
    from loader.artifacts.artifact import is_artifact
    from loader.artifacts.resolve import locate_artifact

    given = is_artifact(Path(voice.model_path))
    there = set() if given else set((settings.cache_dir / "artifacts").glob("*"))
    started_s = time.monotonic()
    with watched_stages():
        directory = locate_artifact(voice, settings, anew)
    took_s = time.monotonic() - started_s
    was_there = given or (directory in there and not anew)
    about = read_baked(directory)
    how = "was there" if was_there else f"baked in {took_s:.1f} s"
    return f"{voice.name}: {about.engine}, {megabytes(about.size_bytes)}, {how}: {directory}"
