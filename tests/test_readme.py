"""The README says what the code does."""

import json
import re

import voluptuous as vol

from loader import errors
from loader.config.schema import SCHEMA
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def rows(schema, prefix=""):
    """Yield a table row a key, exactly as the README must have it."""
    for key, validator in schema.schema.items():
        name = f"{prefix}{key.schema}"
        nested = validator[0] if isinstance(validator, list) else validator
        if isinstance(nested, vol.Schema):
            yield from rows(nested, f"{name}[]." if isinstance(validator, list) else f"{name}.")
            continue
        default = "required" if isinstance(key, vol.Required) else written(key.default())
        yield f"| `{name}` | {default} | {key.description} |"


def written(value):
    """Return a default as a YAML file would have it; a dash where there is none."""
    return "—" if value is None or value == [] else f"`{json.dumps(value).strip(chr(34))}`"


def test_every_configuration_key_is_in_the_table_with_its_default():
    section = README[README.index("## Configuration") :]
    table = [line for line in section.splitlines() if re.match(r"\| `[a-z0-9_.\[\]]+` \| ", line)]

    assert list(rows(SCHEMA)) == table


def test_every_exit_status_is_documented():
    statuses = {each.exit_status for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_status")}

    for status in statuses | {71}:
        assert re.search(rf"^\| {status} \|", README, re.MULTILINE), status


def test_every_script_it_names_exists():
    for script in set(re.findall(r"\bops/[a-z]+\b", README)):
        assert (ROOT / script).exists(), script
