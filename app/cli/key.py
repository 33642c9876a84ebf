"""`chorus key`: make an API key, and print the lines of the configuration that accept it."""

import sys
from pathlib import Path

import click

from app.cli import config_option


@click.command(short_help="Make an API key.")
@config_option
def key(config: Path) -> None:
    """Make an API key and print it once, with the lines that the configuration needs to accept it.

    The key goes to standard output, everything else to standard error. The configuration gets
    the hash of the key only, and is not changed by this command. A server whose configuration
    lists a hash requires a key with every request for speech.

    \b
    chorus key
    chorus key > key.txt
    """
    from app.api.auth import generate_key, hash_key

    drawn = generate_key()
    print(drawn)
    missing = "" if config.exists() else ", which does not exist"
    print(f"\nThe key is not stored. To accept it, add to {config}{missing}:", file=sys.stderr)
    print(f"\n{_parents_of_hash(config)}    - {hash_key(drawn)}", file=sys.stderr)


def _parents_of_hash(config: Path) -> str:
    """Return the keys above the hash; "" if the configuration has them: a duplicate key is refused."""
    from loader.config.yaml import read_document

    document = read_document(config) if config.exists() else {}
    section = document.get("api_keys") if isinstance(document, dict) else None
    return "" if isinstance(section, dict) and section.get("sha256") else "api_keys:\n  sha256:\n"
