"""Benchmark report: values of several rounds, as a table for people and as one line of JSON for programs."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from app.tuning.machine import Machine

_Size = TypeVar("_Size")

#: Of DAMON: a kernel that reclaims idle pages makes every process look smaller.
_KERNEL_MONITORS = Path("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds")
_SENSES: Mapping[str, Callable[[float, float], bool]] = {
    "<=": lambda value, bound: value <= bound, "<": lambda value, bound: value < bound, ">=": lambda value, bound: value >= bound
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """One quantity of one round; a ratio is thus paired within its round."""

    name: str
    #: `s`, `MB` (10^6 bytes), `GFLOP/s`, `s/s` for seconds of audio a second, `ms/s` for core time a second of audio, `x`
    #: for a ratio.
    unit: str
    value: float
    #: Sense and bound, such as `<= 0.08`; empty for none.
    target: str = ""


@dataclass(frozen=True)
class Figure:
    """One quantity of all rounds."""

    name: str
    unit: str
    values: tuple[float, ...]
    target: str = ""

    @property
    def median(self) -> float:
        """Median of all rounds."""
        return statistics.median(self.values)

    @property
    def meets_target(self) -> bool:
        """Whether the median meets the target."""
        sense, bound = self.target.split()
        return _SENSES[sense](self.median, float(bound))


@dataclass(frozen=True)
class Report:
    """Result of one benchmark."""

    rounds: Sequence[Sequence[Value]]
    #: What a reader needs to know to interpret the figures.
    notes: tuple[str, ...] = ()

    @property
    def figures(self) -> list[Figure]:
        """Values by name, in the order of the first round."""
        named: dict[str, list[Value]] = {}
        for values in self.rounds:
            for each in values:
                named.setdefault(each.name, []).append(each)
        return [Figure(name, of[0].unit, tuple(each.value for each in of), of[0].target) for name, of in named.items()]


@dataclass(frozen=True)
class Run:
    """One call of a benchmark: how many rounds, a folder to write in, full size or smallest."""

    rounds: int
    scratch: Path
    #: The smallest form shows that the benchmark works; its figures mean nothing.
    is_quick: bool = False

    def size(self, full: _Size, quick: _Size) -> _Size:
        """Return the size of something for this run."""
        return quick if self.is_quick else full

    def report(self, measure: Callable[[int], Iterable[Value]], *notes: str) -> Report:
        """Measure every round, from 1, and report."""
        rounds = []
        for number in range(1, self.rounds + 1):
            progress(f"round {number}")
            rounds.append(list(measure(number)))
            for each in rounds[-1]:
                if each.target:
                    progress(f"  {each.name}: {each.value:.4g} {each.unit}")
        return Report(rounds, notes)

    def folder(self, name: str) -> Path:
        """Make a folder below the scratch folder."""
        folder = self.scratch / name
        folder.mkdir()
        return folder


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by nearest rank; 0 of no values."""
    return float(np.percentile(values, percent, method="inverted_cdf")) if values else 0.0


def progress(message: str) -> None:
    """Print a line of progress to standard error."""
    print(f"bench: {message}", file=sys.stderr, flush=True)


def print_report(report: Report, benchmark: str, machine: Machine, cores_used_by_others: float, json_path: Path | None) -> None:
    """Print the table and, as the last line, its JSON; write the JSON to `json_path` too, if given.

    `cores_used_by_others` is an average over the whole benchmark; more than about 0 disturbs figures taken from the clock.
    """
    document = {
        "benchmark": benchmark, "machine": asdict(machine), "cores_used_by_others": cores_used_by_others,
        "figures": {each.name: _summary(each) for each in report.figures}, "notes": list(report.notes),
    }  # fmt: skip
    if json_path is not None:
        json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    width = max(len(each.name) for each in report.figures)
    print(f"{benchmark}: median of {len(report.rounds)} (min..max)")
    reclaims = _KERNEL_MONITORS.is_file() and int(_KERNEL_MONITORS.read_text(encoding="ascii")) > 0
    print(
        f"{machine.cpu}, {machine.cores.cores:g} cores, {machine.simd}, {machine.memory.size_bytes / 2**30:.0f} GiB, Linux "
        f"{machine.kernel}{' (reclaims idle pages)' if reclaims else ''}, load {machine.load} before; others used "
        f"{cores_used_by_others:.2f} cores meanwhile"
    )
    print(f"Python {machine.python}, {', '.join(f'{name} {version}' for name, version in machine.versions.items())}\n")
    print("\n".join(_row(each, width) for each in report.figures), end="\n\n")
    print("\n".join(report.notes))
    print(json.dumps(document, separators=(",", ":")), flush=True)


def _row(figure: Figure, width: int) -> str:
    def short(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"

    spread = f"({short(min(figure.values))}..{short(max(figure.values))})"
    row = f"{figure.name:<{width}}  {short(figure.median):>7} {figure.unit:<4} {spread:<18}"
    return f"{row}  target {figure.target}: {'met' if figure.meets_target else 'MISSED'}" if figure.target else row.rstrip()


def _summary(figure: Figure) -> dict[str, Any]:
    values = [round(value, 4) for value in figure.values]
    summary = {"unit": figure.unit, "median": round(figure.median, 4), "min": min(values), "max": max(values), "values": values}
    return {**summary, "target": figure.target, "met": figure.meets_target} if figure.target else summary


def markdown_table(paths: Sequence[Path]) -> str:
    """Return the figures of JSON reports as a Markdown table, in the order of the files."""
    head = ("| benchmark | figure | median | spread | target |", "|---|---|--:|---|---|")
    return "\n".join([*head, *(row for path in paths for row in _markdown(json.loads(path.read_text(encoding="utf-8"))))])


def _markdown(report: dict[str, Any]) -> Iterator[str]:
    for name, each in report["figures"].items():
        target = f"{each['target']}: {'met' if each['met'] else '**missed**'}" if "target" in each else ""
        spread = f"{each['min']:.4g} to {each['max']:.4g}" if len(each["values"]) > 1 else "one round"
        yield f"| `ops/bench {report['benchmark']}` | {name} | {each['median']:.4g} {each['unit']} | {spread} | {target} |"
