"""Small voluptuous validators whose messages say what was expected and what was found."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

Check = Callable[[Any], Any]

_ADDRESS = re.compile(r"unix:\S+|(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")
_LAST_PORT = 65_535
#: What Linux has room for, and a byte that ends it.
_SOCKET_PATH_BYTES = 107
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Bounded:
    """A number in [low, high]; YAML's `true` is not a number. `convert` is `int` for whole numbers, else `float`."""

    low: float
    high: float
    convert: type[int] | type[float]

    def __call__(self, value: Any) -> float:
        """Return the number, or raise what was expected."""
        kinds, name = (int, "whole number") if self.convert is int else (int | float, "number")
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise vol.Invalid(f"expected a {name}, found {shown(value)}")
        if not self.low <= value <= self.high:
            raise vol.Invalid(f"expected {self.low} to {self.high}, found {value}")
        return self.convert(value)


@dataclass(frozen=True)
class Optional:
    """Accepts null, or what `validator` accepts. Unlike vol.Any, keeps the message of `validator`."""

    validator: Check

    def __call__(self, value: Any) -> Any:
        """Return None or the validated value."""
        return None if value is None else self.validator(value)


def absent_or(validator: Check) -> Check:
    """Accept null, or what `validator` accepts."""
    return Optional(validator)


def whole(low: int, high: int) -> Check:
    """A whole number in [low, high]."""
    return Bounded(low, high, int)


def number(low: float, high: float) -> Check:
    """A finite number in [low, high]."""
    return Bounded(low, high, float)


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise vol.Invalid(f"expected text, found {shown(value)}")
    return value


def label(value: Any) -> str:
    """Text, or a whole number as YAML reads one that was not quoted."""
    return text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def address(value: Any) -> str:
    """HOST:PORT or unix:PATH."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise vol.Invalid(f"expected HOST:PORT or unix:PATH, found {shown(value)}")
    if value.startswith("unix:"):
        length = len(os.fsencode(value.removeprefix("unix:")))
        if length > _SOCKET_PATH_BYTES:
            raise vol.Invalid(f"expected a socket's path of at most {_SOCKET_PATH_BYTES} bytes, found {length}")
    elif int(value.rpartition(":")[2]) > _LAST_PORT:
        raise vol.Invalid(f"expected a port of 0 to {_LAST_PORT}, found {shown(value)}")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise vol.Invalid(f"expected true or false, found {shown(value)}")
    return value


def one_of(*allowed: str) -> Check:
    def check(value: Any) -> str:
        if value not in allowed:
            raise vol.Invalid(f"expected one of {', '.join(allowed)}; found {shown(value)}")
        return str(value)

    return check


def device(value: Any) -> str:
    if isinstance(value, str) and _DEVICE.fullmatch(value):
        return value
    raise vol.Invalid(f"expected cpu, cuda or cuda:N, found {shown(value)}")


def digest(value: Any) -> str:
    """The digits of a SHA-256. What was found is not shown: it may be the secret itself."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise vol.Invalid("expected the 64 hexadecimal digits of a key's SHA-256, as chorus key says them")
    return value.lower()


def shown(value: Any) -> str:
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
