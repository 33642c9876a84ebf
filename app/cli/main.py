"""The `chorus` command line: its group of commands, and its entry point."""

from typing import Any

import click

from app.cli import OrderedGroup
from app.cli.bake import bake
from app.cli.device import device
from app.cli.errors import exit_clearly
from app.cli.import_voice import import_voice
from app.cli.key import key
from app.cli.release import release
from app.cli.say import say
from app.cli.seal import seal
from app.cli.serve import serve
from app.cli.show_config import show_config
from app.cli.top import top
from app.cli.tune import tune
from app.cli.verify import verify
from app.cli.voices import voices
from app.cli.wyoming import wyoming
from loader.standard_streams import reopen_closed_streams


class Chorus(OrderedGroup):
    """A group whose commands end with one clear line and a documented status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with exit_clearly():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with exit_clearly():
            return super().invoke(ctx)


@click.group(cls=Chorus, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="chorus-tts", prog_name="chorus", message="%(prog)s %(version)s")
def chorus() -> None:
    """Coqui voices, baked once and served by many workers.

    Every command but top, seal and wyoming reads the configuration file that --config names, else CHORUS_CONFIG,
    else tts_config.yaml in the current directory.

    \b
    chorus import PATH             make a voice of a model, and print the lines for the configuration
    chorus serve                   bake missing voices, then serve them over HTTP
    chorus say "Hello world."      speak without a server, into speech.wav
    chorus COMMAND --help          arguments and options of a command, with examples
    """


_COMMANDS = (serve, wyoming, import_voice, seal, bake, verify, voices, release, say, device, key, top, tune, show_config)
for _command in _COMMANDS:
    chorus.add_command(_command)


def main() -> None:
    """Run the command line of this process and exit."""
    reopen_closed_streams()
    chorus(prog_name="chorus")
