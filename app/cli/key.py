"""`chorus key`: a new API key, and the line that lets it in."""

import sys
from pathlib import Path

import click

from app.cli.options import config_option


@click.command(short_help="Draw an API key.")
@config_option
def key(config: Path) -> None:
    """Draw an API key and print it, this once; say what the configuration needs to let it in.

    The key is written to standard output, everything else to standard error. Only its hash goes
    into the configuration, which is not changed; a server that lists one or more wants a key
    with every request for speech.

    \b
    chorus key
    chorus key > key.txt
    """
    from app.api.auth import generate_key, hash_key

    drawn = generate_key()
    print(drawn)
    print(f"\nThe key is not kept; whoever has it is let in by this in {config}{_note(config)}:", file=sys.stderr)
    print(f"\n{_lines_before(config)}    - {hash_key(drawn)}", file=sys.stderr)


def _note(config: Path) -> str:
    return "" if config.exists() else ", which is not there"


def _lines_before(config: Path) -> str:
    """Return the keys that the hash stands under, where the configuration has none yet; a key may not stand there twice."""
    from loader.config.yaml import read_document

    document = read_document(config) if config.exists() else {}
    listed = document.get("api_keys") if isinstance(document, dict) else None
    return "" if isinstance(listed, dict) and listed.get("sha256") else "api_keys:\n  sha256:\n"
