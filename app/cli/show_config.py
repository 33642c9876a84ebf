"""`chorus show-config`: the configuration with its defaults."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings


@click.command("show-config", short_help="Print the whole configuration.")
@config_option
def show_config(config: Path) -> None:
    """Print the whole configuration, validated, with defaults filled in and absolute paths. Reads the lexicon files too.

    The output is itself a configuration with the same meaning. `null` is a default that the
    server chooses when it starts, or the voice's own value.

    \b
    chorus show-config
    chorus show-config --config voices.yaml > whole.yaml
    """
    from loader.config.settings import load_settings

    settings = load_settings(config)
    if settings.lexicon_files:
        from loader.voices.lexicons import read_lexicons

        read_lexicons(settings)
    print(as_yaml(settings), end="")


def as_yaml(settings: "Settings") -> str:
    """Return `settings` as YAML that `load_settings` reads again."""
    import yaml

    document = asdict(settings)
    for name in ("path", "model_path", "version", "cache_folder"):
        del document[name]
    document["cache_dir"] = str(settings.cache_dir)
    if not settings.api_keys.sha256:
        # An empty list is refused: the server would accept every client.
        del document["api_keys"]
    return yaml.safe_dump(_with_lists(document), sort_keys=False, allow_unicode=True, width=1000)


def _with_lists(value: Any) -> Any:
    """Return a value with lists for tuples, as YAML has them."""
    if isinstance(value, dict):
        return {key: _with_lists(each) for key, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, tuple | list) else value
