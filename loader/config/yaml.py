"""YAML to plain values, with bounded work and without knowledge of keys.

Bounds act during reading: a file is refused at the line that exceeds one, before anything larger is built.
"""

import os
import stat
from pathlib import Path
from typing import Any

import yaml

from loader.config.validation import format_value
from loader.errors import ConfigError

#: 14,000 API keys. The slowest of 27 hostile files of this size took 2.2 s to read (measured 2026-11-30).
MAX_BYTES = 1_048_576
#: Values of the file; those behind an alias count once for each alias.
MAX_NODES = 20_000
#: Levels of lists and keys. The schema has four.
MAX_DEPTH = 20
#: Characters of one number. Python itself refuses integers of more than 4,300 digits.
MAX_NUMBER_CHARACTERS = 40

_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
_PREFIX = "tag:yaml.org,2002:"


def read_document(path: Path) -> Any:
    """Return the values of a YAML file; an empty file has no keys.

    Raises:
        ConfigError: it is not a file, not YAML, exceeds a bound, or has a duplicate key.
    """
    text = _decode(path, _content(path))
    try:
        document = yaml.load(text, _BoundedLoader)  # noqa: S506
    except _RefusedError as error:
        raise ConfigError(path, [f"line {error.line}: {error}"]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character U+{error.character:04X}, which no YAML file holds"
        raise ConfigError(path, [f"not YAML: line {line}: {found}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError(path, [f"not YAML: {_one_line(error)}"]) from error
    return {} if document is None else document


def _content(path: Path) -> bytes:
    try:
        # O_NONBLOCK: a pipe without a writer would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ConfigError(path, ["no such file; --config FILE or CHORUS_CONFIG names another"]) from error
    except (OSError, ValueError) as error:
        raise ConfigError(path, [f"cannot be read: {error}"]) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
            raise ConfigError(path, [f"cannot be read: expected a regular file, found {kind}"])
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error}"]) from error
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ConfigError(path, [f"expected at most {MAX_BYTES} bytes, found more; is this the right file?"])
    return content


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x} ({error.reason})"
        raise ConfigError(path, [f"cannot be read: line {line}: expected UTF-8, found {found}; save it as UTF-8"]) from error


def _one_line(error: yaml.YAMLError) -> str:
    """Return the line and the problem of a PyYAML error, cut: it may quote the file at any length."""
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    problem = problem if len(problem) <= 200 else problem[:197] + "..."
    return f"line {mark.line + 1}: {problem}" if mark else problem


class _RefusedError(Exception):
    """YAML that is valid, and not accepted."""

    def __init__(self, mark: Any, message: str) -> None:
        #: Line number, from 1.
        self.line = mark.line + 1
        super().__init__(message)


class _BoundedLoader(yaml.SafeLoader):
    """Loader that stops at the node that exceeds a bound, and refuses values that YAML 1.1 reads in unexpected ways."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._nodes = 0
        #: Nodes under each anchor, once all of them are read.
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self._sizes:
                raise _RefusedError(event.start_mark, f"the alias {format_value(event.anchor)} is inside its own anchor")
            self._add(self._sizes.get(str(event.anchor), 0), event)
            return super().compose_node(parent, index)
        before = self._nodes
        self._add(1, event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _RefusedError(event.start_mark, f"expected at most {MAX_DEPTH} levels of lists and keys, found more")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor is not None:
            self._sizes[event.anchor] = self._nodes - before
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        # Before the dictionary is made, in which merged keys are among the mapping's own.
        node: Any = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in lines:
                first = lines[key.value]
                raise _RefusedError(
                    key.start_mark, f"duplicate key {format_value(key.value)}, first in line {first}; join the two"
                )
            lines[key.value] = line
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode):
            _refuse_ambiguous(node)
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML raises these for `!!int x`, `!!bool x` and `0x_`.
            kind = node.tag.removeprefix(_PREFIX)
            message = f"expected a value of the kind {format_value(kind)}, found {format_value(node.value)}"
            raise _RefusedError(node.start_mark, message) from error

    def _add(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _RefusedError(
                event.start_mark, f"expected at most {MAX_NODES} values in the file, those behind aliases included, found more"
            )


def _refuse_ambiguous(node: yaml.ScalarNode) -> None:
    """Refuse dates, numbers in base 8 or 60, and numbers of more digits than any key takes."""
    kind = node.tag.removeprefix(_PREFIX)
    if kind == "timestamp":
        message = f"{format_value(node.value)} is a date in YAML, which no key takes; put text in quotes"
        raise _RefusedError(node.start_mark, message)
    if kind not in ("int", "float"):
        return
    if len(node.value) > MAX_NUMBER_CHARACTERS:
        raise _RefusedError(
            node.start_mark, f"expected a number of at most {MAX_NUMBER_CHARACTERS} characters, found {len(node.value)}"
        )
    digits = node.value.lstrip("+-")
    if ":" in digits or (kind == "int" and digits[:1] == "0" and digits[1:2].isdigit()):
        read_as = "base 60" if ":" in digits else "octal"
        message = f"{format_value(node.value)} is a number in {read_as} in YAML; write it in base 10, or text in quotes"
        raise _RefusedError(node.start_mark, message)
