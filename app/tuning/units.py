"""Durations and sizes with their units, as people write them: parsed strictly, formatted so that they parse again."""

import re
from collections.abc import Callable, Mapping

from loader.errors import LoaderError

_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


class BadQuantityError(LoaderError):
    """A value on the command line that cannot be parsed, or is out of bounds; the message says what is accepted."""

    exit_status = 64


def parse_duration_s(written: str, min_s: float, max_s: float) -> float:
    """Parse a duration such as `300ms`, `1.5s` or `10m`.

    Raises:
        BadQuantityError: it is none, has no unit, or is out of bounds.
    """
    return _parse(written, _DURATIONS, "a duration such as 300ms, 2s or 10m", min_s, max_s, format_duration)


def parse_size_bytes(written: str, min_bytes: int, max_bytes: int) -> int:
    """Parse a size such as `512MiB`, `8GiB` or `8GB`.

    Raises:
        BadQuantityError: it is none, has no unit, or is out of bounds.
    """
    return int(_parse(written, _SIZES, "a size such as 512MiB or 8GiB", min_bytes, max_bytes, format_size))


def format_duration(value_s: float) -> str:
    """Format a duration in three digits."""
    if value_s < 1:
        return f"{value_s * 1000:.3g}ms"
    if value_s < 120:
        return f"{value_s:.3g}s"
    return f"{value_s / 60:.3g}m" if value_s < 7200 else f"{value_s / 3600:.3g}h"


def format_size(size_bytes: float) -> str:
    """Format a size in four digits."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes >= _SIZES[unit]:
            return f"{size_bytes / _SIZES[unit]:.4g}{unit}"
    return f"{size_bytes:.0f}B"


def _parse(
    written: str, units: Mapping[str, float], example: str, low: float, high: float, format_: Callable[[float], str]
) -> float:
    found = _QUANTITY.fullmatch(written.strip())
    if found is None:
        raise BadQuantityError(f"{written[:60]!r} is not {example}")
    number, unit = found.groups()
    if unit not in units:
        named = f"the unit {unit!r}" if unit else "no unit"
        raise BadQuantityError(f"{written[:60]!r} has {named}, expected one of {', '.join(units)}")
    value = float(number) * units[unit]
    if not low <= value <= high:
        raise BadQuantityError(f"{written[:60]!r} is out of bounds, expected {format_(low)} to {format_(high)}")
    return value
