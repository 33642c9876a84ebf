"""One YAML file to plain values. Knows no key of it."""

from pathlib import Path
from typing import Any

import yaml

from loader.errors import ConfigError


def read_document(path: Path) -> Any:
    """Return what a YAML file holds; an empty one holds no keys.

    Raises:
        ConfigError: it is not there, not YAML, or names a key twice.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeysLoader)  # noqa: S506
    except FileNotFoundError as error:
        raise ConfigError(path, ["no such file; --config FILE or CHORUS_CONFIG names another"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"cannot be read: {error}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError(path, [f"not YAML: {' '.join(str(error).split())}"]) from error
    return {} if document is None else document


class _UniqueKeysLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one place, where YAML's own loader drops all but the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands here twice; join the two", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)
