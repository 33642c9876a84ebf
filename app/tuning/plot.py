"""The plot: latency against rate with each objective's bound, memory against workers with the budget's."""

import io
from typing import TYPE_CHECKING

from app.tuning.question import Objective, Question
from app.tuning.recommend import Recommendation
from app.tuning.results import Measurements, need_of, percentile_s
from loader.errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES = (6.0, 4.4)
_MIB = 2**20
#: Latencies are drawn up to this many times the bound.
_SCALE = 3.0


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


def plot(question: Question, measurements: Measurements, found: Recommendation | None) -> str:
    """Return the plot as SVG. The same measurements give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    panels = len(question.objectives) + 1
    with matplotlib.rc_context({"svg.hashsalt": "chorus", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(_INCHES[0] * panels, _INCHES[1]), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for objective, panel in zip(question.objectives, axes):
            _plot_latency(panel, objective, measurements, found)
        _plot_memory(axes[-1], question, measurements, found)
        figure.suptitle(_title(question, found))
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": "chorus tune"})
    return written.getvalue()


def _title(question: Question, found: Recommendation | None) -> str:
    if found is None:
        return "interrupted before a candidate was compared with another"
    named = f"{_workers(found.candidate.workers)} x {found.candidate.threads} threads"
    if not found.is_met:
        return f"no candidate meets the objectives; nearest: {named}"
    return f"{named}: {found.rate_hz:.2f} requests a second within the objectives, on {question.cores:g} cores"


def _plot_latency(panel: "Axes", objective: Objective, measurements: Measurements, found: Recommendation | None) -> None:
    ceiling_s = objective.bound_s * _SCALE
    open_windows = [each for each in measurements.windows if each.rate_hz is not None]
    for candidate in sorted({each.candidate for each in open_windows}):
        is_chosen = found is not None and found.candidate == candidate
        points = sorted(
            (each.rate_hz or 0.0, min(ceiling_s, percentile_s(each.results, objective.measure, objective.percentile)))
            for each in open_windows
            if each.candidate == candidate
        )
        panel.plot(
            [rate_hz for rate_hz, _ in points], [latency_s for _, latency_s in points],
            marker="o" if is_chosen else ".", linewidth=1.8 if is_chosen else 0.7, alpha=1.0 if is_chosen else 0.6,
            label=f"{candidate} (recommended)" if is_chosen else str(candidate),
        )  # fmt: skip
    panel.axhline(objective.bound_s, color="tab:red", linestyle="--", label=f"objective: {objective}")
    if found is not None and found.is_met:
        panel.axvline(found.rate_hz, color="tab:green", linestyle=":", label=f"sustained: {found.rate_hz:.2f} a second")
    panel.set(xlabel="requests a second (open loop, Poisson)", ylabel=f"{objective.measure}, p{objective.percentile:g} (s)")
    panel.set_xlim(left=0)
    panel.set_ylim(0, ceiling_s * 1.05)
    panel.legend(fontsize=7)


def _plot_memory(panel: "Axes", question: Question, measurements: Measurements, found: Recommendation | None) -> None:
    loads = [each for each in measurements.memory if each.moment == "load"]
    for threads in sorted({each.candidate.threads for each in loads}):
        same = [each for each in loads if each.candidate.threads == threads]
        points = sorted((each.candidate.workers, each.memory.pss_bytes / _MIB) for each in same)
        panel.plot([count for count, _ in points], [size for _, size in points], "o", label=f"measured, {threads} threads")
    counts = sorted({each.workers for each in question.candidates})
    need = need_of(measurements, question.max_characters)
    if need is not None:
        sizes = [need.of(each) / _MIB for each in counts]
        panel.plot(counts, sizes, "-", color="gray", label="longest texts, rolling restart")
    panel.axhline(question.memory_bytes / _MIB, color="tab:red", linestyle="--", label="budget")
    if found is not None:
        panel.axvline(found.candidate.workers, color="tab:green", linestyle=":", label=_workers(found.candidate.workers))
    panel.set(xlabel="workers", ylabel="memory, master and workers, PSS (MiB)", xticks=counts)
    panel.set_yscale("log")
    panel.legend(fontsize=7)


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
