"""The `chorus` command: what an operator does with voices, with and without a server.

Importing it, and asking for help, imports click alone: each command imports what it
works with when it runs.
"""

from app.cli.command import chorus
from loader.standard_streams import reopen_closed_streams


def main() -> None:
    """Run the command line of this process and end it."""
    reopen_closed_streams()
    chorus(prog_name="chorus")
