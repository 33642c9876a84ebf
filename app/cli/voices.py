"""`chorus voices`: the configured voices, by their manifests only."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings, VoiceSettings


@click.command(short_help="List the voices.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the speakers' names.")
def voices(config: Path, as_json: bool) -> None:
    """List the configured voices; the first is the default one.

    Reads manifests alone: nothing is opened, verified or baked. The row of a voice that is not
    baked yet says so and is otherwise empty. The row of a damaged voice says what is wrong, and
    the exit status is that of the first such problem.

    \b
    chorus voices
    chorus voices --json | jq -r '.[].name'
    """
    from loader.config.settings import load_settings

    settings = load_settings(config)
    rows = [describe(voice, settings) for voice in settings.voices]
    if as_json:
        print(json.dumps([{key: row[key] for key in row if key != "exit_status"} for row in rows], indent=2, ensure_ascii=False))
    else:
        _print_table(rows)
    sys.exit(next((row["exit_status"] for row in rows if row["problem"]), 0))


def describe(voice: "VoiceSettings", settings: "Settings") -> dict[str, Any]:
    """Return the facts of a voice, without opening it."""
    from app.cli.inventory import served_artifact
    from loader.config.location import shown
    from loader.errors import LoaderError

    facts: dict[str, Any] = {
        "name": voice.name, "aliases": list(voice.aliases), "default": voice is settings.voices[0],
        "model_path": shown(voice.model_path), "baked": False, "engine": None, "languages": None, "speakers": None,
        "sample_rate_hz": None, "size_bytes": None, "artifact": None, "problem": None, "exit_status": 0,
    }  # fmt: skip
    try:
        baked = served_artifact(voice, settings)
    except LoaderError as error:
        return facts | {"problem": str(error), "exit_status": error.exit_status}
    if baked is None:
        return facts
    languages = list(baked.voice.languages)
    if voice.language and len(languages) == 1:
        languages = [voice.language]
    return facts | {
        "baked": True, "engine": baked.engine, "languages": languages, "speakers": list(baked.voice.speakers),
        "sample_rate_hz": baked.voice.sample_rate_hz, "size_bytes": baked.size_bytes, "artifact": str(baked.directory),
    }  # fmt: skip


def _print_table(rows: list[dict[str, Any]]) -> None:
    from app.cli.output import print_table

    titles = ("voice", "aliases", "engine", "languages", "speakers", "Hz", "size", "remarks")
    print_table(titles, map(_cells, rows), right=("speakers", "Hz", "size"))


def _cells(row: dict[str, Any]) -> list[str]:
    from app.cli.output import megabytes

    remarks = ["default"] * row["default"]
    if not row["baked"]:
        remarks.append(row["problem"] or "not baked yet; chorus bake bakes it")
        return [row["name"], ", ".join(row["aliases"]), "", "", "", "", "", ", ".join(remarks)]
    return [
        row["name"], ", ".join(row["aliases"]), row["engine"], ", ".join(filter(None, row["languages"])),
        str(max(1, len(row["speakers"]))), str(row["sample_rate_hz"]), megabytes(row["size_bytes"]), ", ".join(remarks),
    ]  # fmt: skip
