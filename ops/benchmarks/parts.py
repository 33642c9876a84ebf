"""A benchmark of several parts, any of which may be measured alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from .report import Figure, Report, progress


@dataclass(frozen=True)
class Part:
    """One thing that is measured, all of it made ready."""

    #: Measures everything once.
    measure: Callable[[], Any]
    #: From what was found in all rounds.
    figures: Callable[[Sequence[Any]], list[Figure]]
    #: What a reader of the figures must know.
    notes: tuple[str, ...]


def choice(option: str, names: Sequence[str], what: str) -> Callable[[click.Command], click.Command]:
    """Return the command-line option that picks some of `names`, all of them unless told otherwise."""
    return click.option(option, multiple=True, default=names, show_default=True, type=click.Choice(list(names)), help=what)


def report_of(parts: Mapping[str, Part], rounds: int) -> Report:
    """Measure all parts in turn, round by round, and report them part by part."""
    found: dict[str, list[Any]] = {name: [] for name in parts}
    for number in range(1, rounds + 1):
        for name, part in parts.items():
            progress(f"round {number}: {name}")
            found[name].append(part.measure())
    figures = tuple(figure for name, part in parts.items() for figure in part.figures(found[name]))
    return Report(figures, tuple(dict.fromkeys(note for part in parts.values() for note in part.notes)))
