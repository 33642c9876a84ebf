"""The `chorus` command: what an operator does with voices, with and without a server.

Importing it, and asking for help, imports click alone: each command imports what it
works with when it runs.
"""

from app.cli.command import chorus


def main() -> None:
    """Run the command line of this process and end it."""
    chorus(prog_name="chorus")
