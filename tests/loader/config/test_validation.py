"""loader.config.validation: types, bounds and messages come from the declarations."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from loader.config.settings import Settings, bounds_of, keys
from loader.config.validation import Digest, Label, keys_of, validate


@dataclass(frozen=True)
class Inner:
    """A nested section."""

    size: Annotated[int, Meta(ge=1, le=5)] = 3


@dataclass(frozen=True)
class Outer:
    """A document."""

    name: Label
    inner: Inner = Inner()
    items: Annotated[tuple[Inner, ...], Meta(max_length=2)] = ()
    scale: Annotated[float, Meta(ge=0.5, le=2.0)] | None = None
    colour: Literal["red", "blue"] = "red"
    secrets: Annotated[tuple[Digest, ...], Meta(extra={"is_secret": True})] = ()


def problems(value, **options):
    found = validate(Outer, value, **options)
    assert found[0] is None
    return list(map(str, found[1]))


def test_valid_values_are_accepted_and_defaults_are_filled_in():
    expected = Outer("7", Inner(5), (Inner(1), Inner()), 1.0, "blue")
    document = {"name": 7, "inner": {"size": 5}, "items": [{"size": 1}, {}], "scale": 1, "colour": "blue"}

    assert (expected, []) == validate(Outer, document)
    assert (Outer("a"), []) == validate(Outer, {"name": "a", "scale": None})


def test_every_problem_is_reported_with_path_value_and_bound():
    assert [
        "colours: unknown key; did you mean colour?",
        "name: missing",
        "inner.size: expected a whole number from 1 to 5, found True",
        "items.0.size: expected a whole number from 1 to 5, found 6",
        "items.1: expected keys and values, found 2",
        "scale: expected a number from 0.5 to 2.0, found nan",
        "colour: expected one of red, blue; found 'green'",
    ] == problems(
        {
            "colours": 1, "inner": {"size": True}, "items": [{"size": 6}, 2], "scale": float("nan"), "colour": "green",
        }  # fmt: skip
    )


def test_a_list_that_is_too_long_is_one_problem():
    (problem,) = problems({"name": "a", "items": [{"size": 0}] * 1000})

    assert problem.startswith("items: expected a list, found [") and len(problem) < 100


@pytest.mark.parametrize("value", ["hunter2", ["hunter2"], [["hunter2"]], {"hunter2": 1}])
def test_a_secret_is_not_quoted(value):
    assert "hunter2" not in "".join(problems({"name": "a", "secrets": value}))


def test_unknown_keys_are_ignored_only_at_the_top_and_on_request():
    assert (Outer("a"), []) == validate(Outer, {"name": "a", "new": 1}, ignore_unknown=True)
    assert ["inner.new: unknown key"] == problems({"name": "a", "inner": {"new": 1}}, ignore_unknown=True)


def sections_of(kind):
    found = [kind]
    for key in keys_of(kind).values():
        found += sections_of(key.declaration.type) if is_dataclass(key.declaration.type) else []
    return found


def test_every_default_satisfies_its_own_bounds():
    for kind in sections_of(Settings):
        for name, key in keys_of(kind).items():
            if not is_dataclass(key.declaration.type):
                written = list(key.default) if isinstance(key.default, tuple) else key.default
                problems_of_key = [each for each in validate(kind, {name: written})[1] if each.path == (name,)]
                assert [] == problems_of_key, name


def test_every_field_of_the_settings_is_a_documented_key():
    for kind in sections_of(Settings):
        described = [key.field for key in keys_of(kind).values() if key.declaration.constraint("description")]
        assert [field.name for field in fields(kind) if field.name != "path"] == described


def test_keys_and_bounds_are_available_to_documents_and_the_tuner():
    by_name = {key.name: key for key in keys()}

    assert by_name["voices[].name"].is_required and not by_name["cache_dir"].is_required
    assert ("~/.cache/chorus", 64) == (by_name["cache_dir"].default, by_name["admission.queue"].default)
    assert (0, 1000) == bounds_of("admission.queue")
    assert (1, 512) == bounds_of("workers")
