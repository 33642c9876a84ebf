"""`chorus show-config`: the configuration with its defaults."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings


@click.command("show-config", short_help="Print the whole configuration.")
@config_option
def show_config(config: Path) -> None:
    """Print the whole configuration, validated, with defaults filled in and absolute paths.

    The output is itself a configuration with the same meaning. `null` is a default that the
    server chooses when it starts, or the voice's own value.

    \b
    chorus show-config
    chorus show-config --config voices.yaml > whole.yaml
    """
    from loader.config.settings import load_settings

    print(as_yaml(load_settings(config)), end="")


def as_yaml(settings: "Settings") -> str:
    """Return `settings` as YAML that `load_settings` reads again."""
    import yaml

    document = asdict(settings)
    for name in ("path", "model_path", "version", "cache_folder"):
        del document[name]
    document["cache_dir"] = str(settings.cache_dir)
    document["voices"] = [{**voice, "aliases": list(voice["aliases"])} for voice in document["voices"]]
    document["api_keys"]["sha256"] = list(settings.api_keys.sha256)
    if not settings.api_keys.sha256:
        # An empty list is refused: the server would accept every client.
        del document["api_keys"]
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
