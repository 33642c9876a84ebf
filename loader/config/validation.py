"""Validation of plain values against frozen dataclasses: one declaration of a key gives type, bounds, default and meaning.

A field is a key. Its type is checked by msgspec, one value at a time: over a whole document msgspec stops at the first problem.
Messages are made from the declaration, never from the text of msgspec's.

Import of msgspec 0.23.0: 18 ms beside yaml and typing; attrs 26.1.0 with cattrs 26.2.1: 68 ms; voluptuous 0.16.0, used until
then: 17 ms (median of 10, python -X importtime, busy 2-core machine, measured 2026-11-30).
"""

import dataclasses
import os
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

T = TypeVar("T")

_ADDRESS = re.compile(r"unix:\S+|(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")
_MAX_PORT = 65_535
#: Scheme, host, port, and what an origin does not have. Extensions and packaged applications have schemes of their own.
_ORIGIN = re.compile(r"([a-zA-Z][\w+.-]*://)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?([/?#].*)?", re.ASCII)
#: Browsers leave these out.
_DEFAULT_PORTS = (("http://", ":80"), ("https://", ":443"))
#: Linux has room for 107 bytes, and a byte that ends the path.
_MAX_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True)
class Problem:
    """A problem with one value."""

    #: Keys and list indices from the top of the document.
    path: tuple[Any, ...]
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(map(_format_part, self.path)) or 'the file'}: {self.message}"


@dataclass(frozen=True)
class Declaration:
    """A type hint in parts."""

    hint: Any
    #: Without `None` and annotations.
    type: Any
    metas: tuple[Meta, ...]
    #: Whether null is accepted.
    is_optional: bool

    def constraint(self, name: str) -> Any:
        """Return an attribute of `msgspec.Meta`; None if no annotation sets it."""
        return next((value for meta in self.metas if (value := getattr(meta, name)) is not None), None)

    def extra(self, name: str) -> Any:
        """Return an `extra` of an annotation: `expected`, `parse` or `is_secret`; None if no annotation sets it."""
        return next((meta.extra[name] for meta in self.metas if meta.extra and name in meta.extra), None)

    @property
    def expected(self) -> str:
        """The accepted values, in words."""
        if expected := self.extra("expected"):
            return str(expected)
        if dataclasses.is_dataclass(self.type):
            return "keys and values"
        if get_origin(self.type) is Literal:
            return f"one of {', '.join(get_args(self.type))}"
        name = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(self.type, "a list")
        low, high = self.constraint("ge"), self.constraint("le")
        return name if low is None else f"{name} from {low} to {high}"


@dataclass(frozen=True)
class Key:
    """One key of a dataclass."""

    #: The name of the field. The key has the same name, or that of `key` in the field's metadata; if that is None, it is no key.
    field: str
    declaration: Declaration
    default: Any
    is_required: bool


def validate(kind: type[T], value: Any, *, ignore_unknown: bool = False) -> tuple[T | None, list[Problem]]:
    """Return `value` as a `kind`, or None and every problem.

    Args:
        kind: a frozen dataclass.
        value: of dictionaries, lists, texts, numbers, booleans and None.
        ignore_unknown: whether keys that `kind` does not have are ignored at the top.
    """
    problems: list[Problem] = []
    return _convert_keys(kind, value, (), problems, ignore_unknown), problems


def keys_of(kind: Any) -> dict[str, Key]:
    """Return the keys of a dataclass by name, in the order of their declarations."""
    return _keys_of(kind)


@cache
def _keys_of(kind: Any) -> dict[str, Key]:
    hints = get_type_hints(kind, include_extras=True)
    keys = {}
    for field in dataclasses.fields(kind):
        name, hint = field.metadata.get("key", field.name), hints[field.name]
        if name is not None:
            is_required = field.default is dataclasses.MISSING
            keys[name] = Key(field.name, declaration_of(hint), None if is_required else field.default, is_required)
    return keys


def declaration_of(hint: Any) -> Declaration:
    """Return a type hint in parts; annotations outside of `X | None` and inside of it count alike."""
    metas: list[Meta] = []
    inner, is_optional = hint, False
    while True:
        if get_origin(inner) is Annotated:
            metas += [each for each in inner.__metadata__ if isinstance(each, Meta)]
            inner = inner.__origin__
        elif get_origin(inner) in (Union, types.UnionType) and types.NoneType in get_args(inner):
            is_optional = True
            inner = Union[tuple(each for each in get_args(inner) if each is not types.NoneType)]
        else:
            return Declaration(hint, inner, tuple(metas), is_optional)


def _convert_keys(kind: Any, value: Any, path: tuple[Any, ...], problems: list[Problem], ignore_unknown: bool) -> Any:
    if not isinstance(value, dict):
        problems.append(Problem(path, f"expected keys and values, found {format_value(value)}"))
        return None
    keys, before = keys_of(kind), len(problems)
    if not ignore_unknown:
        problems += [Problem((*path, name), _unknown(name, keys)) for name in value if name not in keys]
    fields = {}
    for name, key in keys.items():
        if name in value:
            fields[key.field] = _convert(key.declaration, value[name], (*path, name), problems)
        elif key.is_required:
            problems.append(Problem((*path, name), "missing"))
    return kind(**fields) if len(problems) == before else None


def _convert(declaration: Declaration, value: Any, path: tuple[Any, ...], problems: list[Problem]) -> Any:
    if value is None and declaration.is_optional:
        return None
    if dataclasses.is_dataclass(declaration.type):
        return _convert_keys(declaration.type, value, path, problems, False)
    max_length = declaration.constraint("max_length")
    if get_origin(declaration.type) is tuple and isinstance(value, list) and not (max_length and len(value) > max_length):
        item = declaration_of(get_args(declaration.type)[0])
        return tuple(_convert(item, each, (*path, index), problems) for index, each in enumerate(value))
    parse: Callable[[Any], Any] | None = declaration.extra("parse")
    try:
        return msgspec.convert(parse(value) if parse else value, declaration.hint)
    except msgspec.ValidationError:
        found = "" if declaration.extra("is_secret") else f"{_separator(declaration)} found {format_value(value)}"
        problems.append(Problem(path, f"expected {declaration.expected}{found}"))
    except UnicodeEncodeError:  # a lone surrogate, which is in no choice
        problems.append(Problem(path, f"expected {declaration.expected}"))
    except ValueError as error:
        problems.append(Problem(path, str(error)))
    return None


def _separator(declaration: Declaration) -> str:
    return ";" if get_origin(declaration.type) is Literal else ","


def _unknown(name: Any, known: dict[str, Key]) -> str:
    import difflib  # 5 ms that only a wrong file needs

    near = difflib.get_close_matches(str(name)[:60], known, 1, 0.7)
    return f"unknown key; did you mean {near[0]}?" if near else "unknown key"


def _format_part(part: Any) -> str:
    """Return one key of a path; an unusual key is quoted and cut, since the file chose it."""
    written = str(part)
    return written if written.isprintable() and len(written) <= 60 else format_value(part)


def format_value(value: Any) -> str:
    """Return a value as messages show it: quoted, and cut after 60 characters."""
    written = "nothing" if value is None else repr(value)
    return written if len(written) <= 60 else written[:57] + "..."


def parse_address(value: Any) -> Any:
    """Check HOST:PORT or unix:PATH.

    Raises:
        ValueError: it is neither, or a part of it is too large.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError(f"expected HOST:PORT or unix:PATH, found {format_value(value)}")
    if value.startswith("unix:"):
        size_bytes = len(os.fsencode(value.removeprefix("unix:")))
        if size_bytes > _MAX_SOCKET_PATH_BYTES:
            raise ValueError(f"expected a socket path of at most {_MAX_SOCKET_PATH_BYTES} bytes, found {size_bytes}")
    elif int(value.rpartition(":")[2]) > _MAX_PORT:
        raise ValueError(f"expected a port from 0 to {_MAX_PORT}, found {format_value(value)}")
    return value


def parse_origin(value: Any) -> Any:
    """Return an origin as browsers send it, or `*`.

    Raises:
        ValueError: it is none; the message has the right form.
    """
    if value == "*":
        return value
    found = _ORIGIN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or value == "null":  # that of a file, and of any page in a sandbox
        raise ValueError(f"expected an origin such as https://app.example.com, or *; found {format_value(value)}")
    scheme, host, port, rest = (part.lower() for part in found.groups(""))
    origin = f"{scheme or 'https://'}{host}{'' if (scheme, port) in _DEFAULT_PORTS else port}"
    if not scheme or rest:
        reason = "an origin ends with the host or its port" if scheme else "an origin begins with its scheme"
        raise ValueError(f"{reason}; write {origin}, found {format_value(value)}")
    if int(port[1:] or 0) > _MAX_PORT:
        raise ValueError(f"expected a port from 0 to {_MAX_PORT}, found {format_value(value)}")
    return origin


def _parse_label(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _parse_digest(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Text = Annotated[str, Meta(pattern=r"\S", extra={"expected": "text"})]
#: Text, or a whole number as YAML reads one without quotes.
Label = Annotated[str, Meta(pattern=r"\S", extra={"expected": "text", "parse": _parse_label})]
Address = Annotated[str, Meta(extra={"parse": parse_address})]
Origin = Annotated[str, Meta(extra={"parse": parse_origin})]
Device = Annotated[str, Meta(pattern=r"\A(cpu|cuda(:\d+)?)\Z", extra={"expected": "cpu, cuda or cuda:N"})]
#: The digits of a SHA-256, in lower case. A message does not show what was found: it may be the key itself.
Digest = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9a-f]{64}\Z",
        extra={
            "expected": "the 64 hexadecimal digits of a key's SHA-256, as chorus key prints them",
            "parse": _parse_digest,
            "is_secret": True,
        },
    ),
]
