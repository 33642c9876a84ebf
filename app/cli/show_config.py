"""`chorus show-config`: the configuration as it was understood."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.options import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings


@click.command("show-config", short_help="Print the whole configuration.")
@config_option
def show_config(config: Path) -> None:
    """Print the whole configuration, validated: defaults filled in, paths absolute.

    What is printed is itself a configuration that says the same. `null` means that a default
    is chosen when the server starts, or is the voice's own.

    \b
    chorus show-config
    chorus show-config --config voices.yaml > whole.yaml
    """
    from loader.config.settings import load_settings

    print(written(load_settings(config)), end="")


def written(settings: "Settings") -> str:
    """Return `settings` as YAML that `load_settings` reads again."""
    import yaml

    document = {"cache_dir" if key == "cache_folder" else key: value for key, value in asdict(settings).items()}
    del document["path"]
    document["cache_dir"] = str(settings.cache_dir)
    document["voices"] = [{**asdict(voice), "aliases": list(voice.aliases)} for voice in settings.voices]
    document["api_keys"]["sha256"] = list(settings.api_keys.sha256)
    if not settings.api_keys.sha256:
        # An empty list of keys is refused, lest one that was meant to be filled lets everybody in.
        del document["api_keys"]
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
