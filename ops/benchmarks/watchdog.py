"""What the watchdog costs, how soon it finds a leak, and that it finds none where there is none."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .processes import Child, conversing, hear, say
from .report import Figure, Report, Target, figure, progress
from .texts import SENTENCES
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--requests", default=10_000, show_default=True, type=click.IntRange(100),
                 help="How many requests without a leak there are, in all."),
    click.option("--turns", default=10, show_default=True, type=click.IntRange(1), help="Turns of the costs in a round."),
)  # fmt: skip

_KIB = 1024
#: What each request leaves behind, as `tests.app.watchdog.leaks` has it: its name, what it is called, and what is to be found.
_LEAKS = (
    ("PythonLeak", "Python objects", "python"), ("NumpyLeak", "numpy arrays", "python"), ("HeapLeak", "C heap", "native"),
)  # fmt: skip
_SIZES = ((_KIB, "1 KiB"), (64 * _KIB, "64 KiB"), (_KIB * _KIB, "1 MiB"))
_COUNTED = (("DescriptorLeak", "descriptors", "descriptors"), ("ThreadLeak", "threads", "threads"))


@dataclass(frozen=True)
class Case:
    """One leak."""

    leak: str
    size_bytes: int
    name: str
    kind: str


@dataclass(frozen=True)
class Round:
    """One turn of everything."""

    cost: dict[str, float]
    #: By case, the requests until the right alert; infinite where it did not come.
    delays: dict[str, float]


def watchdog(rounds: int, scratch: Path, requests: int, turns: int) -> Report:
    """What watching costs, and after how many requests a leak is found."""
    config_path = write_config(scratch, embedded_voice(scratch).model_path, 1)
    settings = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "CHORUS_CONFIG": str(config_path)}
    with conversing([sys.executable, "-m", "ops.benchmarks.watched"], scratch / "watched.log", settings) as child:
        _ask(child, "cost 1")  # the first turn fills caches
        measured = [_round(number, child, turns) for number in range(1, rounds + 1)]
        false_alarms = len(_ask(child, f"well {requests}")["alerts"])
    return Report(_figures(measured, false_alarms), _notes(turns, requests))


def _notes(turns: int, requests: int) -> tuple[str, ...]:
    return (
        f"The embedded voice in one process, real requests without HTTP; the costs are in core time, medians of {turns} turns of "
        f"{len(SENTENCES)} sentences a round, and a side.",
        "Traced: tracemalloc always on. Collected: gc.collect() after each request, instead of the watchdog.",
        "Delays: requests of a new worker, its warm-up of 100 included, until the alert names the right kind.",
        f"False alarms: in {requests} requests of texts that were not spoken before.",
    )


def _cases() -> Sequence[Case]:
    sized = [Case(leak, size, f"{name}, {said}", kind) for leak, name, kind in _LEAKS for size, said in _SIZES]
    return [*sized, *(Case(leak, 0, name, kind) for leak, name, kind in _COUNTED)]


def _round(number: int, child: Child, turns: int) -> Round:
    cost = _ask(child, f"cost {turns}")
    progress(f"round {number}: watched {cost['watched'] / cost['alone']:.3f}, traced {cost['traced'] / cost['alone']:.3f} x")
    delays = {}
    for case in _cases():
        found = _ask(child, f"leak {case.leak} {case.size_bytes}")
        progress(f"round {number}: {case.name}: {found['kind']} after {found['requests']} requests")
        delays[case.name] = float(found["requests"]) if found["kind"] == case.kind else float("inf")
    return Round(cost, delays)


def _ask(child: Child, question: str) -> dict[str, Any]:
    say(child, [question])
    answer: dict[str, Any] = json.loads(hear(child))
    return answer


def _figures(rounds: list[Round], false_alarms: int) -> tuple[Figure, ...]:
    return (
        figure("alone", "ms", rounds, lambda each: 1000 * each.cost["alone"]),
        _against_alone("watched", rounds, Target("<=", 1.02)),
        _against_alone("traced", rounds),
        _against_alone("collected", rounds),
        figure("a collection", "ms", rounds, lambda each: 1000 * each.cost["collection_s"]),
        figure("objects that a collection found", "", rounds, lambda each: each.cost["found"]),
        *(_delay(case.name, rounds) for case in _cases()),
        Figure("false alarms", "", (float(false_alarms),), Target("<=", 0)),
    )


def _against_alone(what: str, rounds: list[Round], target: Target | None = None) -> Figure:
    return figure(f"{what} / alone", "x", rounds, lambda each: each.cost[what] / each.cost["alone"], target)


def _delay(name: str, rounds: list[Round]) -> Figure:
    return figure(f"delay, {name}", "", rounds, lambda each: each.delays[name], Target("<=", 500))
