"""Markup of a request's text: its format, the bounds on it, and the script that is spoken."""

import re
from typing import Literal

from app.errors import BadRequestError, InvalidMarkupError, TextTooLongError
from app.synthesis.request import require_characters, require_text
from loader.config.settings import Limits, Settings
from loader.errors import MarkupError
from loader.text.markup.script import Script, Substitution, TextRun, parse_plain
from loader.voices.catalog import Catalog
from loader.voices.voice import Voice

TextFormat = Literal["plain", "markdown", "ssml"]
SsmlMode = Literal["strict", "lenient"]

#: Of Markdown, in `limits.text_characters`: the parser takes up to 0.6 s for 20,000 characters (2026-11-30).
_MARKDOWN_TEXTS = 3
_SPEAK = re.compile(r"[\s\ufeff]*(?:<\?xml[^>]{0,200}\?>\s*)?<speak[\s/>]")


def parse_source(
    source: str, settings: Settings, parameter: str, text_format: TextFormat | None = None, ssml: SsmlMode | None = None
) -> Script | None:
    """Return the script of a request's text; None if it has no markup, and is spoken as it is.

    A text that begins with `<speak` is SSML, unless the request itself says `plain`.

    Args:
        source: the text as sent.
        settings: the bounds, and the formats of requests that name none.
        parameter: the field of the text, for errors.
        text_format: that the request names.
        ssml: whether unknown markup is refused or dropped, if the request says it.

    Raises:
        TextTooLongError: the source, or the text that is spoken of it, is too long.
        BadRequestError: the source is blank, or has control characters or surrogates.
        InvalidMarkupError: the markup is not well formed, not supported or above a bound; with line and column.
    """
    limits = settings.limits
    if text_format != "plain" and _SPEAK.match(source):
        text_format = "ssml"
    text_format = text_format or settings.speech.text_format
    if text_format == "plain":
        text = require_text(source, limits, parameter)
        return _parsed_pauses(text) if settings.speech.pauses else None
    _require_source(source, text_format, limits, parameter)
    if text_format == "markdown":
        from loader.text.markup.markdown import parse_markdown  # late: 0.1 s, for the first Markdown (2026-11-30)

        script = parse_markdown(source)
    else:
        script = _parsed_ssml(source, limits, parameter, is_lenient=(ssml or settings.speech.ssml) == "lenient")
    if (characters := _spoken_characters(script)) > limits.text_characters:
        problem = f"{parameter} has {characters} characters of text, limit {limits.text_characters}; send it in parts"
        raise TextTooLongError(problem, parameter)
    return script


def require_voice(script: Script | None, voice: Voice, catalogue: Catalog, parameter: str) -> None:
    """Check that the markup names no other voice of this server: one request has one voice, and any speaker of it.

    Names that no voice has are refused by the voice.

    Raises:
        BadRequestError: with the name.
    """
    for item in () if script is None else script.items:
        name = item.style.voice if isinstance(item, TextRun | Substitution) else None
        if name and name not in voice.speakers and catalogue.find(name) not in (None, voice):
            problem = f"<voice> names {name[:80]!r}, and this request has the voice {voice.name!r}"
            raise BadRequestError(f"{problem}; send the text of each voice by itself", parameter)


def _parsed_pauses(text: str) -> Script | None:
    script = parse_plain(text, pauses=True)
    return script if len(script.items) > 1 or not isinstance(script.items[0], TextRun) else None


def _parsed_ssml(source: str, limits: Limits, parameter: str, is_lenient: bool) -> Script:
    from loader.text.markup.ssml import SsmlLimits, parse_ssml  # late, as above

    # All pauses together, those between sentences included, are bounded when the voice is known.
    bounds = SsmlLimits(limits.markup_depth, limits.markup_bytes, limits.markup_tags, silence_s=float("inf"))
    try:
        return parse_ssml(source, bounds, lenient=is_lenient)
    except MarkupError as error:
        raise InvalidMarkupError(f"{parameter}: {error}", parameter) from error


def _require_source(source: str, text_format: str, limits: Limits, parameter: str) -> None:
    size_bytes = len(source.encode("utf-8", "replace"))
    if size_bytes > limits.markup_bytes:
        raise TextTooLongError(
            f"{parameter} is {size_bytes} bytes of markup, limit {limits.markup_bytes}; send it in parts", parameter
        )
    if text_format == "markdown" and len(source) > _MARKDOWN_TEXTS * limits.text_characters:
        bound = _MARKDOWN_TEXTS * limits.text_characters
        raise TextTooLongError(f"{parameter} is {len(source)} characters of Markdown, limit {bound}; send it in parts", parameter)
    require_characters(source, parameter)


def _spoken_characters(script: Script) -> int:
    """Return the length of the text that is spoken; of a substitution, the longer of what is written and what is said."""
    return sum(
        len(item.text) if isinstance(item, TextRun) else max(map(len, (item.written, item.alias, item.ipa)))
        for item in script.items
        if isinstance(item, TextRun | Substitution)
    )
