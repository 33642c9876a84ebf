"""The picture: latency against rate with the objective's line, memory against workers with the budget's."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.tuning.journal import Journal, Window
from app.tuning.memory import need_of
from app.tuning.objectives import Objective
from app.tuning.outcome import interval_s, percentile_s
from app.tuning.plan import Question
from app.tuning.setting import Setting
from app.tuning.verdict import Verdict
from loader.errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES = (6.0, 4.4)
_MIB = 2**20
#: Latencies are shown up to so many times the bound: what is beyond is off the scale in any case.
_SHOWN = 3.0


def require_plotting() -> None:
    """Import what draws, before anything is measured.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"tune.svg needs matplotlib ({error}): pip install --constraint ops/constraints.txt --editable '.[tune]', "
            "or leave the picture out with --no-plot"
        ) from error


def picture(question: Question, journal: Journal, verdict: Verdict | None) -> str:
    """Return the picture as SVG. The same journal gives the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    panels = len(question.objectives) + 1
    with matplotlib.rc_context({"svg.hashsalt": "chorus", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(_INCHES[0] * panels, _INCHES[1]), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for objective, panel in zip(question.objectives, axes):
            _latency(panel, objective, journal, verdict)
        _memory(axes[-1], question, journal, verdict)
        figure.suptitle(_title(question, verdict))
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": "chorus tune"})
    return written.getvalue()


def _title(question: Question, verdict: Verdict | None) -> str:
    if verdict is None:
        return "interrupted before a setting was compared with another"
    named = f"{_workers(verdict.setting.workers)} x {verdict.setting.threads} threads"
    if not verdict.is_met:
        return f"no setting does what was asked for; nearest: {named}"
    return f"{named}: {verdict.rate_hz:.2f} requests a second within the objectives, on {question.cores:g} cores"


def _latency(panel: "Axes", objective: Objective, journal: Journal, verdict: Verdict | None) -> None:
    open_windows = [each for each in journal.windows if each.rate_hz is not None]
    for setting in sorted({each.setting for each in open_windows}):
        points = _points([each for each in open_windows if each.setting == setting], objective)
        is_chosen = verdict is not None and verdict.setting == setting
        panel.errorbar(
            [rate for rate, *_ in points], [min(middle, _ceiling_s(objective)) for _, _, middle, _ in points],
            yerr=_bars(points, objective), marker="o" if is_chosen else ".", linewidth=1.8 if is_chosen else 0.7,
            capsize=2, label=_named(setting, is_chosen), alpha=1.0 if is_chosen else 0.6,
        )  # fmt: skip
    panel.axhline(objective.bound_s, color="tab:red", linestyle="--", label=f"objective: {objective}")
    if verdict is not None and verdict.is_met:
        panel.axvline(verdict.rate_hz, color="tab:green", linestyle=":", label=f"sustained: {verdict.rate_hz:.2f} a second")
    panel.set(xlabel="requests a second (open loop, Poisson)", ylabel=f"{objective.measure}, p{objective.percentile:g} (s)")
    panel.set_xlim(left=0)
    panel.set_ylim(0, _ceiling_s(objective) * 1.05)
    panel.legend(fontsize=7)


def _points(windows: Sequence[Window], objective: Objective) -> list[tuple[float, float, float, float]]:
    """Return (rate, low, value, high) of each rate, all windows at it together."""
    points = []
    for rate_hz in sorted({each.rate_hz or 0.0 for each in windows}):
        together = [one for each in windows if each.rate_hz == rate_hz for one in each.outcomes]
        low_s, high_s = interval_s(together, objective.measure, objective.percentile)
        points.append((rate_hz, low_s, percentile_s(together, objective.measure, objective.percentile), high_s))
    return points


def _bars(points: Sequence[tuple[float, float, float, float]], objective: Objective) -> list[list[float]]:
    ceiling_s = _ceiling_s(objective)
    clipped = [[min(value, ceiling_s) for value in point[1:]] for point in points]
    return [
        [max(0.0, middle - low) for low, middle, _ in clipped],
        [max(0.0, high - middle) for _, middle, high in clipped],
    ]


def _ceiling_s(objective: Objective) -> float:
    return objective.bound_s * _SHOWN


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _named(setting: Setting, is_chosen: bool) -> str:
    return f"{setting} (recommended)" if is_chosen else str(setting)


def _memory(panel: "Axes", question: Question, journal: Journal, verdict: Verdict | None) -> None:
    loads = [each for each in journal.memory if each.moment == "load"]
    for threads in sorted({each.setting.threads for each in loads}):
        points = sorted((each.setting.workers, each.memory.pss_bytes) for each in loads if each.setting.threads == threads)
        panel.plot([count for count, _ in points], [size / _MIB for _, size in points], "o", label=f"measured, {threads} threads")
    counts = sorted({each.workers for each in question.settings})
    need = need_of(journal, question.longest_characters)
    if need is not None:
        panel.plot(counts, [need.of(each) / _MIB for each in counts], "-", color="gray", label="longest texts, while replacing")
    panel.axhline(question.memory_bytes / _MIB, color="tab:red", linestyle="--", label="budget")
    if verdict is not None:
        panel.axvline(verdict.setting.workers, color="tab:green", linestyle=":", label=_workers(verdict.setting.workers))
    panel.set(xlabel="workers", ylabel="memory, master and workers, PSS (MiB)", xticks=counts)
    panel.set_yscale("log")
    panel.legend(fontsize=7)
