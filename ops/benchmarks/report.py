"""Benchmark report: values of several rounds, as a table for people and as one line of JSON for programs."""

import itertools
import json
import operator
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
_SENSES: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}


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
class Report:
    """Result of one benchmark."""

    rounds: Sequence[Sequence[Value]]
    #: What a reader needs to know to interpret the figures.
    notes: tuple[str, ...] = ()

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return unit, median, extremes, and values of all rounds by name, with the target and whether the median meets it."""
        named: dict[str, list[Value]] = {}
        for value in itertools.chain.from_iterable(self.rounds):
            named.setdefault(value.name, []).append(value)
        return {name: _figure(values) for name, values in named.items()}


def _figure(values: Sequence[Value]) -> dict[str, Any]:
    rounded, median = [round(each.value, 4) for each in values], statistics.median(each.value for each in values)
    figure = {
        "unit": values[0].unit, "median": round(median, 4), "min": min(rounded), "max": max(rounded), "values": rounded
    }  # fmt: skip
    if not (target := values[0].target):
        return figure
    sense, bound = target.split()
    return {**figure, "target": target, "met": _SENSES[sense](median, float(bound))}


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
    figures = report.figures()
    document = {
        "benchmark": benchmark, "machine": asdict(machine), "cores_used_by_others": cores_used_by_others,
        "figures": figures, "notes": list(report.notes),
    }  # fmt: skip
    if json_path is not None:
        json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    reclaims = _KERNEL_MONITORS.is_file() and int(_KERNEL_MONITORS.read_text(encoding="ascii")) > 0
    print(
        f"{benchmark}: median of {len(report.rounds)} (min..max)\n{machine.cpu}, {machine.cores.cores:g} cores, {machine.simd}, "
        f"{machine.memory.size_bytes / 2**30:.0f} GiB, Linux {machine.kernel}{' (reclaims idle pages)' if reclaims else ''}, "
        f"load {machine.load} before; others used {cores_used_by_others:.2f} cores meanwhile"
    )
    print(f"Python {machine.python}, {', '.join(f'{name} {version}' for name, version in machine.versions.items())}\n")
    for name, figure in figures.items():
        print(_row(name.ljust(max(map(len, figures))), **figure))
    print("", *report.notes, json.dumps(document, separators=(",", ":")), sep="\n", flush=True)


def _row(name: str, unit: str, median: float, min: float, max: float, target: str = "", met: bool = False, **_: Any) -> str:
    def short(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"

    row = f"{name}  {short(median):>7} {unit:<4} {f'({short(min)}..{short(max)})':<18}"
    return f"{row}  target {target}: {'met' if met else 'MISSED'}" if target else row.rstrip()


def markdown_table(paths: Sequence[Path]) -> str:
    """Return the figures of JSON reports as a Markdown table, in the order of the files."""
    head = ("| benchmark | figure | median | spread | target |", "|---|---|--:|---|---|")
    return "\n".join([*head, *(row for path in paths for row in _markdown(json.loads(path.read_text(encoding="utf-8"))))])


def _markdown(report: dict[str, Any]) -> Iterator[str]:
    for name, each in report["figures"].items():
        target = f"{each['target']}: {'met' if each['met'] else '**missed**'}" if "target" in each else ""
        spread = f"{each['min']:.4g} to {each['max']:.4g}" if len(each["values"]) > 1 else "one round"
        yield f"| `ops/bench {report['benchmark']}` | {name} | {each['median']:.4g} {each['unit']} | {spread} | {target} |"
