"""Everything that was measured and concluded, as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from app.tuning.advice import Advice
from app.tuning.findings import meets, service_of
from app.tuning.journal import Journal, Window
from app.tuning.machine import Machine
from app.tuning.outcome import Outcome, answered, fates, interval_s, percentile_s
from app.tuning.plan import Question
from app.tuning.verdict import Verdict

#: Changes whenever a reader of the file would have to change.
FORMAT = 1
_COLUMNS = tuple(field.name for field in fields(Outcome))
_DIGITS = 6


def recorded(
    question: Question, journal: Journal, verdict: Verdict | None, advice: Sequence[Advice], machine: Machine, **more: Any
) -> str:
    """Return the whole record; `more` says how and when it ended. Infinity and what was not measured are null."""
    document = {
        "format": FORMAT,
        **more,
        "question": {**asdict(question), "mix": question.mix.name, "texts": [asdict(line) for line in question.mix.lines]},
        "machine": asdict(machine),
        "verdict": asdict(verdict) if verdict else None,
        "advice": [asdict(each) for each in advice],
        "service": asdict(service) if (service := service_of(journal, question.mix, question.objectives)) else None,
        "memory": [asdict(each) for each in journal.memory],
        "remarks": list(journal.remarks),
        "outcome_columns": _COLUMNS,
        "windows": [_window(each, question) for each in journal.windows],
    }
    return json.dumps(_plain(document), ensure_ascii=False, indent=None, separators=(",", ":"), allow_nan=False) + "\n"


def _window(window: Window, question: Question) -> dict[str, Any]:
    described = {field.name: getattr(window, field.name) for field in fields(Window) if field.name != "outcomes"}
    return {
        **described,
        "setting": asdict(window.setting),
        "fates": fates(window.outcomes),
        "met": meets(window.outcomes, question.objectives),
        "percentiles_s": {each.name: _percentile(window, each.measure, each.percentile) for each in question.objectives},
        "answered_hz": len(answered(window.outcomes)) / window.for_s,
        "outcomes": [[getattr(each, name) for name in _COLUMNS] for each in window.outcomes],
    }


def _percentile(window: Window, measure: str, percentile: float) -> dict[str, Any]:
    low_s, high_s = interval_s(window.outcomes, measure, percentile)
    return {"value": percentile_s(window.outcomes, measure, percentile), "low": low_s, "high": high_s}


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value
