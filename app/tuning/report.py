"""What came of a run: lines for a terminal, tune.json with everything measured, tune.yaml for the configuration, the plot."""

import json
import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app.tuning.loadgen import Result
from app.tuning.machine import Machine
from app.tuning.plot import plot
from app.tuning.question import Question
from app.tuning.recommend import Key, Recommendation, keys_of, recommend
from app.tuning.results import (
    Measurements,
    Window,
    answered,
    capacity_hz,
    meets,
    need_of,
    percentile_s,
    service_of,
    sustained_of,
)
from app.tuning.units import format_size
from loader.artifacts.fs import write_aside
from loader.errors import StoreError

RECORD, FRAGMENT, PLOT = "tune.json", "tune.yaml", "tune.svg"
#: Changes whenever a reader of tune.json would have to change.
FORMAT = 2
_COLUMNS = ("characters", "due_s", "sent_s", "outcome", "status", "ttfa_s", "total_s", "audio_s", "body_bytes", "retry_after")
_DIGITS = 6
_WIDTH = 100
#: Shares of the time, and of the cores, from which on the figures are not those of a quiet machine.
_THROTTLED, _DISTURBED = 0.01, 0.05


@dataclass(frozen=True)
class Ending:
    """How and when a run ended."""

    #: `whole`, `interrupted` or `failed`.
    how: str
    #: ISO 8601, UTC.
    at: str
    took_s: float
    #: For how long the quota of the control group throttled this process meanwhile.
    throttled_s: float
    #: How many cores other processes kept busy meanwhile.
    used_by_others: float


def prepare(folder: Path) -> None:
    """Make the folder, and check that files can be written there.

    Raises:
        StoreError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{RECORD}.probe"
        write_aside(probe, b"")
        probe.unlink()
    except OSError as error:
        raise StoreError(f"{folder}: nothing can be written there ({error.strerror}); --out DIR names another place") from error


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, each whole or not at all.

    Raises:
        StoreError: they cannot be written.
    """
    try:
        for name, text in files.items():
            write_aside(folder / name, text.encode())
    except OSError as error:
        raise StoreError(f"{folder}: {error.filename or 'a file'} cannot be written ({error.strerror})") from error


def contents(
    question: Question, measurements: Measurements, machine: Machine, ending: Ending, with_plot: bool
) -> Mapping[str, str]:
    """Return what is to be written, by file name. Without a recommendation there is no fragment."""
    for remark in disturbances(ending, question.cores):
        measurements.remark(remark)
    found = recommend(question, measurements)
    keys = keys_of(question, found) if found else ()
    files = {RECORD: record(question, measurements, found, keys, machine, ending)}
    if found is not None:
        files[FRAGMENT] = fragment(question, found, keys, ending.at)
    if with_plot:
        files[PLOT] = plot(question, measurements, found)
    return files


def disturbances(ending: Ending, cores: float) -> Iterator[str]:
    """Yield what kept the servers from the cores they were to have."""
    if ending.throttled_s > _THROTTLED * ending.took_s:
        yield f"the quota of the control group throttled the processes for {ending.throttled_s:.1f} s"
    if ending.used_by_others > _DISTURBED * cores:
        yield f"other processes kept {ending.used_by_others:.2f} cores busy: measure again when the machine is quiet"


def record(
    question: Question,
    measurements: Measurements,
    found: Recommendation | None,
    keys: Sequence[Key],
    machine: Machine,
    ending: Ending,
) -> str:
    """Return everything as JSON. Infinity and what was not measured are null."""
    service = service_of(measurements, question.workload, question.objectives)
    document = {
        "format": FORMAT,
        "ended": ending.how,
        **{key: value for key, value in asdict(ending).items() if key != "how"},
        "question": {
            **{each.name: getattr(question, each.name) for each in fields(Question)},
            "objectives": [asdict(each) for each in question.objectives],
            "candidates": [asdict(each) for each in question.candidates],
            "workload": question.workload.name,
            "texts": [asdict(text) for text in question.workload.texts],
        },
        "machine": asdict(machine),
        "recommendation": asdict(found) if found else None,
        "keys": [asdict(each) for each in keys],
        "service": asdict(service) if service else None,
        "memory": [asdict(each) for each in measurements.memory],
        "remarks": measurements.remarks,
        "result_columns": _COLUMNS,
        "windows": [_window(each, question) for each in measurements.windows],
    }
    return json.dumps(_plain(document), ensure_ascii=False, indent=None, separators=(",", ":"), allow_nan=False) + "\n"


def _window(window: Window, question: Question) -> dict[str, Any]:
    values_s = {each.name: percentile_s(window.results, each.measure, each.percentile) for each in question.objectives}
    return {
        **{each.name: getattr(window, each.name) for each in fields(Window)},
        "candidate": asdict(window.candidate),
        "outcomes": Counter(each.outcome for each in window.results),
        "met": meets(window.results, question.objectives),
        "percentiles_s": values_s,
        "answered_hz": len(answered(window.results)) / window.for_s,
        "results": [_row(each) for each in window.results],
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


def fragment(question: Question, found: Recommendation, keys: Sequence[Key], date: str) -> str:
    """Return YAML with a comment before each key. It holds only what was tuned: to be put into a configuration."""
    lines = [*_comment(_heading(question, found, keys, date)), ""]
    parent = ""
    for key in sorted(keys, key=lambda each: "." in each.name):
        section, _, name = key.name.rpartition(".")
        indent = "  " if section else ""
        if section and section != parent:
            lines.append(f"{section}:")
        parent = section
        lines += [f"{indent}{line}" for line in _comment(key.reason)]
        lines.append(f"{indent}{name}: {key.value}")
    return "\n".join(lines) + "\n"


def _heading(question: Question, found: Recommendation, keys: Sequence[Key], date: str) -> str:
    met = "" if found.is_met else "NO CANDIDATE MEETS THE OBJECTIVES; this one came nearest. "
    asked = f"{question.slo} in {format_size(question.memory_bytes)} on {question.cores:g} cores"
    notes = " ".join(f"Note: {each}." for each in _notes(found, keys))
    return f"{met}Measured by chorus tune on {date} for {asked}, with {question.workload.name} texts. {notes}".strip()


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _notes(found: Recommendation, keys: Sequence[Key]) -> list[str]:
    return [*(each.clamped for each in keys if each.clamped), *found.doubts]


def summary(question: Question, measurements: Measurements, found: Recommendation | None) -> Iterator[str]:
    """Yield the lines for a terminal: every candidate, what is recommended, and what makes that less sure."""
    yield from _table(question, measurements)
    if found is None:
        yield from (f"note: {each}" for each in measurements.remarks)
        return
    keys = keys_of(question, found)
    yield ""
    yield conclusion(question, found)
    yield from (f"  {each.name}: {each.value:g}" for each in keys)
    yield from (f"note: {each}" for each in _notes(found, keys))


def conclusion(question: Question, found: Recommendation) -> str:
    """Return the one sentence that matters."""
    candidate = found.candidate
    named = f"{candidate.workers} {'worker' if candidate.workers == 1 else 'workers'} of {candidate.threads} threads"
    if found.is_met:
        return (
            f"{named}: {found.rate_hz:.2f} requests a second within {question.slo}; "
            f"{found.capacity_hz * 0.7:.2f} leave the usual third of the capacity free"
        )
    if not found.fits:
        need = format_size(found.need.of(candidate.workers))
        return f"not even {named} fit into {format_size(question.memory_bytes)}: {need} are needed"
    if math.isinf(found.score):
        missed = "and too many of its requests went unanswered even at the lowest rate that was tried"
    else:
        missed = f"at {found.score:.3g} times what is allowed at the lowest rate that was tried"
    return f"no candidate meets {question.slo}; the nearest is {named}, {missed}"


def _table(question: Question, measurements: Measurements) -> Iterator[str]:
    service = service_of(measurements, question.workload, question.objectives)
    need = need_of(measurements, question.max_characters)
    if service is None:
        return
    yield f"{'workers x threads':>17}  {'capacity/s':>10}  {'sustained/s':>11}  {'memory, at most':>15}"
    for candidate in question.candidates:
        capacity = capacity_hz(measurements, candidate, service)
        if capacity is not None:
            seen = sustained_of(measurements, candidate, question.objectives)
            rate, memory = f"{seen.rate_hz:.2f}" if seen else "-", format_size(need.of(candidate.workers)) if need else "-"
            yield f"{candidate!s:>17}  {capacity:>10.2f}  {rate:>11}  {memory:>15}"
