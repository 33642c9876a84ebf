"""Durations and sizes as people write them, read strictly."""

import re
from collections.abc import Callable, Mapping

from loader.errors import LoaderError

_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


class BadQuantityError(LoaderError):
    """A value on the command line that cannot be read, or is out of bounds; the message says what would do."""

    exit_status = 64
    permanent = True


def duration_s(written: str, least_s: float, most_s: float) -> float:
    """Read a duration such as `300ms`, `1.5s` or `10m`.

    Raises:
        BadQuantityError: it is none, has no unit, or is out of bounds.
    """
    value = _read(written, _DURATIONS, "a duration such as 300ms, 2s or 10m")
    _check(written, value, least_s, most_s, shown_duration)
    return value


def size_bytes(written: str, least_bytes: int, most_bytes: int) -> int:
    """Read a size such as `512MiB`, `8GiB` or `8GB`.

    Raises:
        BadQuantityError: it is none, has no unit, or is out of bounds.
    """
    value = int(_read(written, _SIZES, "a size such as 512MiB or 8GiB"))
    _check(written, value, least_bytes, most_bytes, lambda bound: shown_size(int(bound)))
    return value


def shown_duration(value_s: float) -> str:
    """Return a duration as `duration_s` reads it, in three digits."""
    if value_s < 1:
        return f"{value_s * 1000:.3g}ms"
    if value_s < 120:
        return f"{value_s:.3g}s"
    return f"{value_s / 60:.3g}m" if value_s < 7200 else f"{value_s / 3600:.3g}h"


def shown_size(size: int) -> str:
    """Return a size as `size_bytes` reads it."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _SIZES[unit]:
            return f"{size / _SIZES[unit]:.4g}{unit}"
    return f"{size}B"


def _read(written: str, units: Mapping[str, float], example: str) -> float:
    found = _QUANTITY.fullmatch(written.strip())
    if found is None:
        raise BadQuantityError(f"{written[:60]!r} is not {example}")
    number, unit = found.groups()
    if unit not in units:
        named = "no unit" if not unit else f"the unit {unit!r}"
        raise BadQuantityError(f"{written[:60]!r} has {named}, expected one of {', '.join(units)}")
    return float(number) * units[unit]


def _check(written: str, value: float, least: float, most: float, shown: Callable[[float], str]) -> None:
    if not least <= value <= most:
        raise BadQuantityError(f"{written[:60]!r} is out of bounds, expected {shown(least)} to {shown(most)}")
