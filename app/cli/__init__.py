"""The `chorus` command: operations on voices, with and without a server.

Importing this package and --help import click only: each command imports its libraries when it runs.
"""

from pathlib import Path

import click

#: Option of every command that reads the configuration.
config_option = click.option(
    "-c",
    "--config",
    "config",
    metavar="FILE",
    # The configuration's own check reports an unreadable file, with the exit status of a wrong configuration.
    type=click.Path(path_type=Path, readable=False),
    envvar="CHORUS_CONFIG",
    default="tts_config.yaml",
    help="Configuration file; default: CHORUS_CONFIG, else tts_config.yaml here.",
)


class OrderedGroup(click.Group):
    """A group that lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)
