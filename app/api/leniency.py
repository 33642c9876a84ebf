"""Leniency: a value whose meaning is clear takes the type that its field declares.

Shells, forms and other servers' clients write `"1.0"` for 1.0, `7.0` for 7, `"true"` for true and `SSE` for `sse`. A value whose
meaning is not clear stays as it is; validation refuses it.
"""

import re
from typing import Any, Literal, get_args, get_origin

from loader.config.validation import Declaration, declaration_of, keys_of

_INTEGER = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
#: The words that YAML 1.1, forms and Python's web frameworks have for the two.
_BOOLEANS = {
    "true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


def loosen(kind: Any, document: Any) -> Any:
    """Return a parsed body, its values as the fields of `kind` declare them. What is not an object stays as it is.

    An annotation's `extra` may have `unset`: the values that mean no value, in lower case.
    """
    if not isinstance(document, dict):
        return document
    keys = keys_of(kind)
    return {
        name: loosen_value(keys[name].declaration, value) if name in keys else value for name, value in document.items()
    }


def loosen_value(declaration: Declaration, value: Any) -> Any:
    """Return a value as `declaration` has it, or as it is; empty text is None if the field is optional."""
    if isinstance(value, str) and declaration.is_optional and not value.strip():
        return None
    loose = _convert(declaration, value)
    unset = declaration.extra("unset") or ()
    plain = loose.strip().lower() if isinstance(loose, str) else loose
    return None if unset and not isinstance(plain, bool) and plain in unset else loose


def _convert(declaration: Declaration, value: Any) -> Any:
    kind = declaration.type
    if get_origin(kind) is tuple:
        return _list(declaration, value)
    if get_origin(kind) is Literal and isinstance(value, str):
        word = value.strip().casefold()
        return next((each for each in get_args(kind) if isinstance(each, str) and each.casefold() == word), value)
    if kind is bool and not isinstance(value, bool) and isinstance(value, str | int):
        return _BOOLEANS.get(str(value).strip().lower(), value) if not isinstance(value, int) or value in (0, 1) else value
    if kind in (int, float):
        return _number(kind, value)
    return value


def _list(declaration: Declaration, value: Any) -> Any:
    """Return a list, of one value or of some with commas if it is text."""
    max_length = declaration.constraint("max_length")
    values = value.split(",") if isinstance(value, str) else value
    if not isinstance(values, list) or (max_length and len(values) > max_length):
        return value
    item = declaration_of(get_args(declaration.type)[0])
    return [loosen_value(item, each) for each in values]


def _number(kind: type, value: Any) -> Any:
    number = value
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.fullmatch(text):
            number = int(text)
        elif _NUMBER.fullmatch(text):
            number = float(text)
    if kind is int and isinstance(number, float) and number.is_integer():
        return int(number)
    # Text that is no whole number stays text, so that an error shows what was sent.
    return value if kind is int and isinstance(number, float) else number
