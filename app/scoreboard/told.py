"""A snapshot as GET /status told it: back from JSON, of a server that may be of another version, or none."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from app.scoreboard.snapshot import Failure, Histogram, Snapshot, Totals, Worker


def told(status: Any) -> Snapshot:
    """Return the snapshot that `status`, the parsed JSON, was made of.

    Raises:
        ValueError: it is none.
    """
    try:
        own: dict[str, Callable[[Any], Any]] = {
            "workers": lambda each: tuple(_made(Worker, one) for one in each),
            "failures": lambda each: tuple(_made(Failure, one) for one in each),
            "totals": _totals,
        }
        seen: Snapshot = _made(Snapshot, status, own)
        return seen
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no status of a server of this version ({type(error).__name__}: {error})") from error


def _totals(facts: Any) -> Totals:
    def answers(routes: Any) -> dict[str, dict[int, int]]:
        return {route: {int(status): count for status, count in counts.items()} for route, counts in routes.items()}

    def histograms(named: Any) -> dict[str, Histogram]:
        own: dict[str, Callable[[Any], Any]] = {"bounds": tuple, "counts": tuple}
        return {name: _made(Histogram, each, own) for name, each in named.items()}

    totals: Totals = _made(Totals, facts, {"answers": answers, "histograms": histograms})
    return totals


def _made(kind: Any, facts: Mapping[str, Any], own: Mapping[str, Callable[[Any], Any]] = {}) -> Any:  # noqa: B006  read only
    """Return the dataclass of those facts; ones that it does not have are left out."""
    return kind(**{each.name: own.get(each.name, _same)(facts[each.name]) for each in fields(kind)})


def _same(value: Any) -> Any:
    return value
