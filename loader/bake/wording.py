"""Errors of other libraries in one line."""

import re
import sys

_MAX_CHARACTERS = 300
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
#: Before the reason torch writes how to read the file unsafely, and after it how to allow the class.
_TORCHS_REASON = re.compile(r"WeightsUnpickler error:\s*([^\n]*?)(?: Please |\n|$)")


def one_line(error: BaseException) -> str:
    """Return an error's text without line ends and colours, and without torch's advice to read a file unsafely."""
    text = _ANSI.sub("", str(error))
    if reason := _TORCHS_REASON.search(text):
        text = reason[1]
    line = " ".join(text.split()) or type(error).__name__
    return line if len(line) <= _MAX_CHARACTERS else line[: _MAX_CHARACTERS - 3] + "..."


def some(keys: list[str]) -> str:
    """Return the first few keys, and how many more there are."""
    shown = ", ".join(keys[:5]) or "none"
    return shown if len(keys) <= 5 else f"{shown} and {len(keys) - 5} more"


def note(text: str) -> None:
    """Print a remark inside the line of the present stage, on standard error."""
    print(f" ({text}) ...", end="", file=sys.stderr, flush=True)
