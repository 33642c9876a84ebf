"""Report of a run: lines for a terminal, tune.json with everything measured, tune.yaml for the configuration, a plot."""

import io
import json
import math
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.system.machine import Machine
from app.tuning.loadgen import Result
from app.tuning.plan import Objective, TuningPlan, format_size
from app.tuning.recommend import Recommendation, keys_of, recommend
from app.tuning.results import (
    LoadTest,
    Measurements,
    answered,
    capacity_hz,
    memory_need_of,
    percentile_s,
    score,
    service_time_of,
    sustained_hz,
)
from loader.errors import MissingPackageError, StoreError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RECORD, FRAGMENT, PLOT = "tune.json", "tune.yaml", "tune.svg"
#: Changes whenever a reader of tune.json would have to change.
FORMAT = 3
_COLUMNS = ("characters", "due_s", "sent_s", "outcome", "status", "ttfa_s", "total_s", "audio_s", "body_bytes", "retry_after")
_DIGITS, _WIDTH = 6, 100
#: Share of the cores from which on the figures are not those of a quiet machine.
_DISTURBED = 0.05
_MIB = 2**20
#: Latencies are drawn up to this many times the bound.
_SCALE = 3.0


@dataclass(frozen=True)
class Ending:
    """How and when a run ended."""

    #: `whole`, `interrupted` or `failed`.
    how: str
    #: ISO 8601, UTC.
    at: str
    took_s: float
    #: How many cores other processes kept busy meanwhile.
    used_by_others: float


def prepare(folder: Path) -> None:
    """Make the folder, and check that files can be written there.

    Raises:
        StoreError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StoreError(f"{folder}: nothing can be written there ({error.strerror}); --out DIR names another place") from error


def contents(plan: TuningPlan, measurements: Measurements, machine: Machine, ending: Ending, with_plot: bool) -> dict[str, str]:
    """Return the texts of the files by name. Without a recommendation there is no fragment."""
    if ending.used_by_others > _DISTURBED * plan.cores:
        busy = f"other processes kept {ending.used_by_others:.2f} cores busy"
        measurements.note(f"{busy}: measure again when the machine is quiet")
    found = recommend(plan, measurements)
    files = {RECORD: record(plan, measurements, found, machine, ending)}
    if found is not None:
        files[FRAGMENT] = fragment(plan, measurements, found, ending.at)
    if with_plot:
        files[PLOT] = plot(plan, measurements, found)
    return files


def record(
    plan: TuningPlan, measurements: Measurements, found: Recommendation | None, machine: Machine, ending: Ending
) -> str:
    """Return everything as JSON. Infinity and what was not measured are null."""
    document = {
        "format": FORMAT,
        "ending": asdict(ending),
        "plan": asdict(plan),
        "machine": asdict(machine),
        "recommendation": asdict(found) if found else None,
        "keys": [asdict(each) for each in keys_of(plan, found)] if found else [],
        "memory": [asdict(each) for each in measurements.memory],
        "notes": measurements.notes,
        "result_columns": _COLUMNS,
        "load_tests": [_load_test(each, plan) for each in measurements.load_tests],
    }
    return json.dumps(_plain(document), ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def _load_test(test: LoadTest, plan: TuningPlan) -> dict[str, Any]:
    return {
        **{each.name: getattr(test, each.name) for each in fields(LoadTest)},
        "candidate": asdict(test.candidate),
        "outcomes": Counter(each.outcome for each in test.results),
        "met": score(test.results, plan.objectives) <= 1,
        "percentiles_s": {each.name: percentile_s(test.results, each.measure, each.percentile) for each in plan.objectives},
        "answered_hz": len(answered(test.results)) / test.for_s,
        "results": [_row(each) for each in test.results],
    }


def _row(result: Result) -> list[Any]:
    derived = {"characters": result.request.characters, "retry_after": result.headers.get("Retry-After")}
    return [derived[name] if name in derived else getattr(result, name) for name in _COLUMNS]


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value


def fragment(plan: TuningPlan, measurements: Measurements, found: Recommendation, date: str) -> str:
    """Return YAML with a comment above each key: the lines to put into a configuration."""
    met = "" if found.is_met else "NO CANDIDATE MEETS THE OBJECTIVES; this one came nearest. "
    tuned_for = f"{plan.slo} in {format_size(plan.memory_bytes)} on {plan.cores} cores, with {plan.workload.name} texts."
    notes = "".join(f" Note: {each}." for each in measurements.notes)
    lines = [*_comment(f"{met}Measured by chorus tune on {date} for {tuned_for}{notes}"), ""]
    section = ""
    for key in keys_of(plan, found):
        above, _, name = key.name.rpartition(".")
        if above != section:
            lines.append(f"{above}:")
            section = above
        indent = "  " if above else ""
        lines += [*(f"{indent}{line}" for line in _comment(key.reason)), f"{indent}{name}: {key.value}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def summary(plan: TuningPlan, measurements: Measurements, found: Recommendation | None) -> Iterator[str]:
    """Yield the lines for a terminal: every candidate, the recommendation, and the notes."""
    service = service_time_of(measurements, plan.workload, plan.objectives)
    need = memory_need_of(measurements, plan.max_characters)
    if service and need:
        yield f"{'workers x threads':>17}  {'capacity/s':>10}  {'sustained/s':>11}  {'memory, at most':>15}"
        for each in sorted(plan.candidates):
            capacity, rate_hz = capacity_hz(measurements, each, service), sustained_hz(measurements, each, plan.objectives)
            if capacity is not None:
                rate = "-" if rate_hz is None else f"{rate_hz:.2f}"
                yield f"{each!s:>17}  {capacity:>10.2f}  {rate:>11}  {format_size(need.of(each.workers)):>15}"
    if found is not None:
        yield from ("", conclusion(plan, found), *(f"  {each.name}: {each.value:g}" for each in keys_of(plan, found)))
    yield from (f"note: {each}" for each in measurements.notes)


def conclusion(plan: TuningPlan, found: Recommendation) -> str:
    """Return the recommendation in one sentence."""
    candidate = f"{_workers(found.candidate.workers)} of {found.candidate.threads} threads"
    if found.is_met:
        return f"{candidate}: {found.rate_hz:.2f} requests a second within {plan.slo}"
    if not found.fits:
        need = format_size(found.need.of(found.candidate.workers))
        return f"not even {candidate} fit into {format_size(plan.memory_bytes)}: {need} are needed"
    missed = f"at {found.score:.3g} times the bound" if math.isfinite(found.score) else "with unanswered requests"
    return f"no candidate meets {plan.slo}; the nearest is {candidate}, {missed} at the lowest rate that was tried"


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def require_plotting() -> None:
    """Import the plotting library, before anything is measured.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"tune.svg needs matplotlib ({error}): pip install --constraint ops/constraints.txt --editable '.[tune]', "
            "or leave the plot out with --no-plot"
        ) from error


def plot(plan: TuningPlan, measurements: Measurements, found: Recommendation | None) -> str:
    """Return latency by rate and memory by workers as SVG. The same measurements give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    panels = len(plan.objectives) + 1
    with matplotlib.rc_context({"svg.hashsalt": "chorus", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(6.0 * panels, 4.4), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for objective, panel in zip(plan.objectives, axes):
            _plot_latency(panel, objective, measurements, found)
        _plot_memory(axes[-1], plan, measurements, found)
        figure.suptitle(conclusion(plan, found) if found else "interrupted before a rate was tried")
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "chorus tune"})
    return svg.getvalue()


def _plot_latency(panel: "Axes", objective: Objective, measurements: Measurements, found: Recommendation | None) -> None:
    ceiling_s = objective.bound_s * _SCALE
    open_tests = sorted((each for each in measurements.load_tests if each.rate_hz), key=lambda each: each.rate_hz)
    for candidate in sorted({each.candidate for each in open_tests}):
        tests = [each for each in open_tests if each.candidate == candidate]
        latencies_s = [percentile_s(each.results, objective.measure, objective.percentile) for each in tests]
        is_best = candidate == measurements.best
        panel.plot(
            [each.rate_hz for each in tests], [min(ceiling_s, each) for each in latencies_s],
            marker="o" if is_best else ".", linewidth=1.8 if is_best else 0.7,
            label=f"{candidate} (recommended)" if is_best else str(candidate),
        )  # fmt: skip
    panel.axhline(objective.bound_s, color="tab:red", linestyle="--", label=f"objective: {objective}")
    if found is not None and found.is_met:
        panel.axvline(found.rate_hz, color="tab:green", linestyle=":", label=f"sustained: {found.rate_hz:.2f} a second")
    panel.set(xlabel="requests a second (open loop, Poisson)", ylabel=f"{objective.measure}, p{objective.percentile:g} (s)")
    panel.set_xlim(left=0)
    panel.set_ylim(0, ceiling_s * 1.05)
    panel.legend(fontsize=7)


def _plot_memory(panel: "Axes", plan: TuningPlan, measurements: Measurements, found: Recommendation | None) -> None:
    loads = [each for each in measurements.memory if each.moment == "load"]
    panel.plot(
        [each.candidate.workers for each in loads], [each.memory.pss_bytes / _MIB for each in loads], "o", label="under load"
    )
    counts = sorted({each.workers for each in plan.candidates})
    if need := memory_need_of(measurements, plan.max_characters):
        sizes = [need.of(each) / _MIB for each in counts]
        panel.plot(counts, sizes, "-", color="gray", label="longest texts, rolling restart")
    panel.axhline(plan.memory_bytes / _MIB, color="tab:red", linestyle="--", label="memory limit")
    if found is not None:
        workers = found.candidate.workers
        panel.axvline(workers, color="tab:green", linestyle=":", label=_workers(workers))
    panel.set(xlabel="workers", ylabel="memory, master and workers, PSS (MiB)", xticks=counts)
    panel.set_yscale("log")
    panel.legend(fontsize=7)
