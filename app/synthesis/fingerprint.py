"""The fingerprint of a request: everything that the bytes of its answer depend on; and the seed of a request that has none."""

import hashlib
import importlib.metadata
from dataclasses import fields, replace
from functools import cache
from typing import Any

from app.synthesis.request import SpeechRequest
from loader.text.markup.script import TextRun

_DIGITS = 32
_SEED_BITS = 63
#: Fields of a request that change nothing, or that count in another form.
_OTHERWISE = ("request_id", "text", "voice", "options", "script", "sample_rate_hz")


def fingerprint(request: SpeechRequest, revision: str) -> str:
    """Return hexadecimal digits that are the same for two requests only if their answers are.

    Args:
        request: with its seed.
        revision: of what is served: its artifacts, lexicon files and configuration, see `app.rollout.revision`.
    """
    voice = request.voice
    served = (_version(), revision, voice.manifest.key, voice.release)
    # All other fields, one that is added to the request later too.
    form = {each.name: getattr(request, each.name) for each in fields(request) if each.name not in _OTHERWISE}
    form |= {"rate_hz": request.output_rate_hz, "streamed": request.streamed}
    return _digest(served, form, request.options.seed, _spoken(request))[:_DIGITS]


def seed_of(request: SpeechRequest) -> int:
    """Return the seed of what is spoken, whatever its format: the same on every worker, of every revision and machine."""
    return int(_digest(_spoken(request)), 16) >> (256 - _SEED_BITS)


def _spoken(request: SpeechRequest) -> tuple[Any, ...]:
    """Return what is spoken and how, with the voice's own for what the request leaves open."""
    options = replace(request.voice.with_defaults(request.options), seed=0, soon=False)
    # Without the origins of characters, which follow from the text and are a hundred times as long.
    items = () if request.script is None else tuple(
        (item.text, item.style, item.begins_sentence) if isinstance(item, TextRun) else item for item in request.script.items
    )  # fmt: skip
    return request.voice.name, options, request.text, request.script is None, items


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _version() -> str:
    return importlib.metadata.version("chorus-tts")
