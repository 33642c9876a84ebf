"""What several commands take."""

from pathlib import Path

import click

config_option = click.option(
    "-c",
    "--config",
    "config",
    metavar="FILE",
    # Whether it can be read is told with the other problems of a configuration, and by their status.
    type=click.Path(path_type=Path, readable=False),
    envvar="CHORUS_CONFIG",
    default="tts_config.yaml",
    help="The configuration; default: CHORUS_CONFIG, else tts_config.yaml here.",
)
