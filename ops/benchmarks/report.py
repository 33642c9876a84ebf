"""Values of several rounds to a table for people and a line of JSON for programs."""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from .machine import Machine

_Round = TypeVar("_Round")


@dataclass(frozen=True)
class Target:
    """What a figure should be: at least, at most, or below a bound."""

    #: `>=`, `<=` or `<`.
    sense: str
    bound: float

    def met_by(self, value: float) -> bool:
        """Whether `value` is as it should be."""
        if self.sense == ">=":
            return value >= self.bound
        return value < self.bound or (self.sense == "<=" and value == self.bound)


@dataclass(frozen=True)
class Figure:
    """One measured quantity, a value a round."""

    name: str
    #: `s`, `MB` (10^6 bytes), `GFLOP/s`, `s/s` for seconds of audio a second, `ms/s` for core time a second of audio, `x`
    #: for a ratio.
    unit: str
    values: tuple[float, ...]
    target: Target | None = None

    @property
    def median(self) -> float:
        """The value that stands for all rounds."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Setting:
    """Under what a report was made."""

    benchmark: str
    machine: Machine
    #: Average over the whole benchmark; anything but about 0 disturbs figures taken from the clock.
    cores_used_by_others: float


@dataclass(frozen=True)
class Report:
    """What one benchmark found."""

    figures: tuple[Figure, ...]
    #: What a reader must know to read the figures right.
    notes: tuple[str, ...] = ()


def figure(
    name: str, unit: str, rounds: Sequence[_Round], value: Callable[[_Round], float], target: Target | None = None
) -> Figure:
    """Take one figure out of every round."""
    return Figure(name, unit, tuple(value(each) for each in rounds), target)


def progress(message: str) -> None:
    """Tell whoever waits what is being done."""
    print(f"bench: {message}", file=sys.stderr, flush=True)


def print_report(report: Report, setting: Setting, json_path: Path | None) -> None:
    """Print the table and, as the last line, its JSON; write that to `json_path` too where one is given."""
    document = _document(report, setting)
    if json_path is not None:
        json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for line in _table(report, setting):
        print(line)
    print(json.dumps(document, separators=(",", ":")), flush=True)


def _table(report: Report, setting: Setting) -> list[str]:
    machine = setting.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    width = max(len(each.name) for each in report.figures)
    return [
        f"{setting.benchmark}: median of {len(report.figures[0].values)} (min..max)",
        f"{machine.cpu}, {machine.cores} cores, {machine.simd}, {machine.memory_bytes / 2**30:.0f} GiB, "
        f"Linux {machine.kernel}{_reclaim(machine)}, load {machine.load} before; "
        f"meanwhile others used {setting.cores_used_by_others:.2f} cores",
        f"Python {machine.python}, {versions}",
        "",
        *(_row(each, width) for each in report.figures),
        "",
        *report.notes,
    ]


def _reclaim(machine: Machine) -> str:
    return " (takes idle pages back)" if machine.reclaims_idle_pages else ""


def _row(figure: Figure, width: int) -> str:
    spread = f"({_shown(min(figure.values))}..{_shown(max(figure.values))})"
    row = f"{figure.name:<{width}}  {_shown(figure.median):>7} {figure.unit:<4} {spread:<18}"
    if figure.target is None:
        return row.rstrip()
    outcome = "met" if figure.target.met_by(figure.median) else "MISSED"
    return f"{row}  target {figure.target.sense} {figure.target.bound:g}: {outcome}"


def _shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _document(report: Report, setting: Setting) -> dict[str, Any]:
    return {
        **asdict(setting),
        "figures": {each.name: _summary(each) for each in report.figures},
        "notes": list(report.notes),
    }


def _summary(figure: Figure) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "unit": figure.unit,
        "median": round(figure.median, 4),
        "min": round(min(figure.values), 4),
        "max": round(max(figure.values), 4),
        "values": [round(value, 4) for value in figure.values],
    }
    if figure.target is not None:
        summary["target"] = f"{figure.target.sense} {figure.target.bound:g}"
        summary["met"] = figure.target.met_by(figure.median)
    return summary
