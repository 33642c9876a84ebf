"""Benchmark report: values of several rounds, as a table for people and as one line of JSON for programs."""

import json
import operator
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from app.system.machine import Machine

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


#: A benchmark's measurement of one round, by its number from 1.
Measure = Callable[[int], Iterable[Value]]


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

    def folder(self, name: str) -> Path:
        """Make a folder below the scratch folder."""
        folder = self.scratch / name
        folder.mkdir()
        return folder


def measure_rounds(measure: Measure, count: int) -> dict[str, dict[str, Any]]:
    """Measure every round; return by name the unit, median, extremes and values of all, and whether a target is met."""
    named: dict[str, list[Value]] = {}
    for number in range(1, count + 1):
        progress(f"round {number}")
        for value in list(measure(number)):
            named.setdefault(value.name, []).append(value)
            if value.target:
                progress(f"  {value.name}: {value.value:.4g} {value.unit}")
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


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by nearest rank; 0 of no values."""
    return float(np.percentile(values, percent, method="inverted_cdf")) if values else 0.0


def progress(message: str) -> None:
    """Print a line of progress to standard error."""
    print(f"bench: {message}", file=sys.stderr, flush=True)


def print_report(document: Mapping[str, Any], machine: Machine) -> None:
    """Print the table of a report and, as the last line, its JSON.

    `cores_used_by_others` is an average over the whole benchmark; more than about 0 disturbs figures taken from the clock.
    """
    figures = document["figures"]
    reclaims = _KERNEL_MONITORS.is_file() and int(_KERNEL_MONITORS.read_text(encoding="ascii")) > 0
    print(
        f"{document['benchmark']}: median of {max(len(each['values']) for each in figures.values())} (min..max)\n"
        f"{machine.cpu}, {machine.cores} cores, {machine.simd}, {machine.memory_bytes / 2**30:.0f} GiB, Linux "
        f"{machine.kernel}{' (reclaims idle pages)' if reclaims else ''}, load {machine.load} before; others used "
        f"{document['cores_used_by_others']:.2f} cores meanwhile"
    )
    print(f"Python {machine.python}, {', '.join(f'{name} {version}' for name, version in machine.versions.items())}\n")
    for name, figure in figures.items():
        print(_row(name.ljust(max(map(len, figures))), **figure))
    print("", *document["notes"], json.dumps(document, separators=(",", ":")), sep="\n", flush=True)


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
