"""A model's `config.json`, read as leniently as Coqui reads it, for every family and by every part of the loader.

Coqui's own reader drops `//` comments and takes NaN; this one also takes block comments, a byte order mark and UTF-16,
which editors on Windows write. No model library is imported.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Any

#: A string, which stays, or a comment. JSON has no comments.
_STRING_OR_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


def parse_document(content: bytes) -> dict[str, Any]:
    """Return the object in a JSON text, which may have comments.

    Raises:
        ValueError: it is no text, no JSON, or no object.
        RecursionError: it is nested too deeply.
    """
    text = content.decode(json.detect_encoding(content))
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        # Lines of old Macs end with a carriage return alone, and so do their comments.
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        document = json.loads(_STRING_OR_COMMENT.sub(lambda found: found[1] or " ", lines))
    if not isinstance(document, dict):
        raise ValueError(f"a JSON object was expected, found {type(document).__name__}")
    return document


def read_document(path: Path) -> Mapping[str, Any]:
    """Return the object in a JSON file; an empty one if the file cannot be read or has none."""
    with suppress(OSError, ValueError, RecursionError):
        return parse_document(path.read_bytes())
    return {}


def family_of(document: Mapping[str, Any]) -> str:
    """Return Coqui's name of the family in small letters, as Coqui derives it; "" if the configuration names none."""
    named = document.get("model", document.get("generator_model"))
    if not isinstance(named, str):
        return ""
    return named.replace("_generator", "").replace("_discriminator", "").lower()


def is_fairseq(document: Mapping[str, Any]) -> bool:
    """Whether a configuration has the original VITS code's format, as fairseq's MMS voices do."""
    return "train" in document and "data" in document and isinstance(document.get("model"), dict)


def is_transformers(document: Mapping[str, Any]) -> bool:
    """Whether it is the configuration of a model for Hugging Face's transformers, such as `facebook/mms-tts-eng`."""
    return isinstance(document.get("model_type"), str)


def is_foreign_vits(document: Mapping[str, Any]) -> bool:
    """Whether it is the configuration of a VITS in a format that is not Coqui's."""
    return is_fairseq(document) or document.get("model_type") == "vits"


def file_name(path: str) -> str:
    """Return the last part of a path of any machine: `speakers.pth` for `C:\\run\\speakers.pth` too."""
    return PureWindowsPath(path).name
