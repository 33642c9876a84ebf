"""Bodies of OpenAI's dialect: from JSON, a form, a query or SSML to the fields that an endpoint declares.

A field that is not text is written in a form or a query as in JSON, such as `normalize=false`.
"""

import json
import re
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import unquote_to_bytes

from flask import g, request
from werkzeug.datastructures import MultiDict

from app.api.leniency import loosen
from app.errors import BadRequestError
from app.synthesis.characters import clean_text
from loader.config.validation import Problem, keys_of, validate

#: The media type of a body that is SSML, and the fields that it then has itself.
SSML_TYPE = "application/ssml+xml"
_BODY_IS = {"input": "", "text_format": "ssml"}
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
#: curl declares every body a form: it is one only if it begins like one.
_FORM = re.compile(r"[\w.%+\[\]-]{1,100}=", re.ASCII)
#: What other servers call `input`.
_NAMES_OF_INPUT = ("text", "prompt", "content", "message", "transcript", "tts_text", "ssml_text")
_REMEDY = 'send an object such as {"input": "Hello."}; `voice` and all other fields are optional'
_CURLY_QUOTES = frozenset("“”„‘’")


def parse_body(kind: type[Any]) -> dict[str, Any]:
    """Parse the request's body; every field of `kind` is in the result.

    Raises:
        BadRequestError: it is no such object; the message names the field.
    """
    if request.mimetype == SSML_TYPE:
        return check_fields(kind, _ssml_document(kind))
    return check_fields(kind, _form_document(kind) if _is_form() else _json_document())


def parse_query(kind: type[Any]) -> dict[str, Any]:
    """Parse the query as a body.

    Raises:
        BadRequestError: see `parse_body`; or it is not UTF-8.
    """
    return check_fields(kind, _query_document(kind))


def check_fields(kind: type[Any], document: Any) -> dict[str, Any]:
    """Return the fields of a parsed body; every field of `kind` is in the result.

    Raises:
        BadRequestError: the message names the field.
    """
    try:
        body, problems = validate(kind, loosen(kind, document), ignore_unknown=True)
    except RecursionError as error:
        raise BadRequestError("the body is nested too deeply; no field has more than one level") from error
    if body is None:
        raise _refusal(problems[0], document)
    g.ignored_fields = [name for name in document if name not in keys_of(kind)]
    return dict(vars(body))


def take_text(text: str) -> str:
    """Return a text without the characters that are no text; the answer names those that it lost."""
    cleaned = clean_text(text)
    g.dropped_characters = cleaned.dropped
    return cleaned.text


def require_utf8(encoded: bytes, parameter: str) -> None:
    """Refuse a query or form that is not UTF-8; Flask would speak replacement characters.

    Raises:
        BadRequestError: with the position.
    """
    try:
        unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the parameters are not UTF-8 (byte {error.start}); encode them so", parameter) from error


def _refusal(problem: Problem, document: Any) -> BadRequestError:
    if not problem.path:
        found = {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(type(document), "a number")
        return BadRequestError(f"the body is {found}, not a JSON object; {_REMEDY}")
    field = str(problem.path[0])
    if problem.message == "missing":
        named = next((name for name in document if name.lower() in (field, *_NAMES_OF_INPUT)), None)
        seen = "" if named is None else f", and there is a field `{named[:40]}`: name it `{field}`"
        return BadRequestError(f"{field}: is missing{seen or '; send the text to be spoken'}", field)
    return BadRequestError(f"{field}: {problem.message}"[:300], field)


def _body_text() -> str:
    """Return the body without a byte order mark, which Windows' programs write."""
    try:
        return request.get_data().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8 (byte {error.start})") from error


def _json_document() -> Any:
    text = _body_text()
    if not text.strip():
        raise BadRequestError(f"the body is empty; {_REMEDY}")
    try:
        # A line break within a string is not JSON, but its meaning is clear; other control characters are dropped later.
        return json.loads(text, parse_constant=_refuse_constant, strict=False)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadRequestError(f"the body is not JSON, {place}: {_describe(error, text)}; {_REMEDY}") from error
    except RecursionError as error:
        raise BadRequestError("the body is nested too deeply; no field has more than one level") from error
    except ValueError as error:
        reason = str(error) if isinstance(error, _ConstantError) else "a number has too many digits"
        raise BadRequestError(f"the body is not JSON: {reason}; {_REMEDY}") from error


def _describe(error: json.JSONDecodeError, text: str) -> str:
    """Return what is wrong in words for people who wrote the JSON by hand."""
    here = text[error.pos : error.pos + 1]
    if _FORM.match(text):
        return f"it looks like a form, which has the type {_FORM_TYPES[0]}"
    if here in ("}", "]") and text[: error.pos].rstrip().endswith(","):
        return f"a comma before {here}"
    if here == "'":
        return "a single quote, and strings have double ones"
    if here in _CURLY_QUOTES:
        return f"the quote {here}, and strings have straight ones"
    return error.msg[:1].lower() + error.msg[1:]


def _ssml_document(kind: type[Any]) -> dict[str, Any]:
    """Return the fields of a body of SSML, which are in the query: all but the text and its format."""
    document = _query_document(kind)
    for name in _BODY_IS.keys() & document:
        raise BadRequestError(f"{name}: the body is the SSML; leave it out of the query", name)
    return {**document, **_BODY_IS, "input": _body_text()}


def _query_document(kind: type[Any]) -> dict[str, Any]:
    require_utf8(request.query_string, "input")
    return _fields(kind, request.args)


def _is_form() -> bool:
    """Whether the body is a form; an undeclared multipart body cannot be read without its boundary."""
    if request.mimetype not in _FORM_TYPES:
        return False
    return request.mimetype != _FORM_TYPES[0] or _FORM.match(request.get_data()[:200].decode("latin-1")) is not None


def _form_document(kind: type[Any]) -> dict[str, Any]:
    encoded = request.get_data()  # kept by Flask, which parses the form from it
    if request.mimetype == _FORM_TYPES[0]:
        require_utf8(encoded, "input")
    elif any("\ufffd" in value for value in request.form.values()) and "\ufffd".encode() not in encoded:
        raise BadRequestError("the form is not UTF-8; encode it so", "input")
    return {**dict.fromkeys(request.files, ""), **_fields(kind, request.form)}


def _fields(kind: type[Any], given: "MultiDict[str, str]") -> dict[str, Any]:
    """Return the fields of a query or form; `name[]`, repeated, is a list."""
    document: dict[str, Any] = {}
    for name, values in given.lists():
        key = keys_of(kind).get(name.removesuffix("[]"))
        if key is None:
            document[name] = values[0]
        else:
            document[name.removesuffix("[]")] = _parse_values(values, key.declaration.type)
    return document


def _parse_values(values: list[str], kind: Any) -> Any:
    if _takes_strings(kind):
        return values[0]
    if get_origin(kind) is tuple and not values[0].startswith("["):
        return ",".join(values).split(",")
    return _parse_value(values[0])


def _takes_strings(kind: Any) -> bool:
    """Whether a string is one of the values of a type without `None`."""
    if get_origin(kind) is Literal:
        return any(isinstance(each, str) for each in get_args(kind))
    return kind is str or (get_origin(kind) in (Union, UnionType) and any(map(_takes_strings, get_args(kind))))


def _parse_value(value: str) -> Any:
    """Return a value in JSON; what is not JSON stays text."""
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return value


class _ConstantError(ValueError):
    pass


def _refuse_constant(name: str) -> None:
    raise _ConstantError(f"{name} is not a number in it")
