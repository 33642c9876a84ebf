"""JSON files of earlier measurements to the tables of docs/benchmarks.md."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def table(paths: Sequence[Path]) -> str:
    """Return a Markdown table, a row a figure, in the order of the files."""
    head = ("| benchmark | figure | median | spread | target |", "|---|---|--:|---|---|")
    return "\n".join([*head, *(row for path in paths for row in _rows(json.loads(path.read_text(encoding="utf-8"))))])


def _rows(report: dict[str, Any]) -> Iterator[str]:
    for name, each in report["figures"].items():
        target = f"{each['target']}: {'met' if each['met'] else '**missed**'}" if "target" in each else ""
        spread = f"{each['min']:.4g} to {each['max']:.4g}" if len(each["values"]) > 1 else "one round"
        yield f"| `ops/bench {report['benchmark']}` | {name} | {each['median']:.4g} {each['unit']} | {spread} | {target} |"
