"""SSML: a subset of SSML 1.1 to a script. Entities, document types and external references are refused."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import errors as expat_errors

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from loader.errors import MarkupError
from loader.text.markup import values
from loader.text.markup.script import (
    MAX_NAME_CHARACTERS,
    Range,
    SayAs,
    Script,
    ScriptBuilder,
    Style,
    in_place,
    split_lines,
    without_surrogates,
)

_Value = TypeVar("_Value")

_SSML = "http://www.w3.org/2001/10/synthesis"
_PREFIXES = {"http://www.w3.org/XML/1998/namespace": "xml:", "http://www.w3.org/2001/XMLSchema-instance": "xsi:", _SSML: ""}
#: The attributes of `prosody`, each a factor of the style.
_FACTORS: Mapping[str, Callable[[str, float], float]] = {
    "rate": values.parse_rate, "volume": values.parse_volume, "pitch": values.parse_pitch,
}  # fmt: skip
#: The tags with their attributes. Of `speak`, only the language has an effect.
_TAGS: Mapping[str, tuple[str, ...]] = {
    "speak": ("version", "xml:lang", "xml:base", "xsi:schemaLocation"),
    "p": ("xml:lang",), "s": ("xml:lang",), "lang": ("xml:lang",), "voice": ("name", "xml:lang"),
    "break": ("time", "strength"), "mark": ("name",), "emphasis": ("level",), "prosody": tuple(_FACTORS),
    "sub": ("alias",), "phoneme": ("alphabet", "ph"), "say-as": ("interpret-as", "format", "detail"),
}  # fmt: skip
_TEXT_ONLY = frozenset(["sub", "phoneme", "say-as"])
_EMPTY = frozenset(["break", "mark"])
_NEEDED = {"sub": "alias", "phoneme": "ph", "say-as": "interpret-as", "mark": "name", "voice": "name", "lang": "xml:lang"}
#: Unsupported tags whose content is not for the ear.
_SILENT = frozenset(["metadata", "desc", "lexicon", "script", "style"])
_REFERENCE = re.compile(r"&[#\w]{1,12};")
_REMEDIES = {
    expat_errors.codes[expat_errors.XML_ERROR_UNDEFINED_ENTITY]: "write the character itself or its number, such as &#160;",
    expat_errors.codes[expat_errors.XML_ERROR_TAG_MISMATCH]: "close the tag that was opened last",
    expat_errors.codes[expat_errors.XML_ERROR_NO_ELEMENTS]: "write <speak>...</speak>, each tag closed",
}


@dataclass(frozen=True)
class SsmlLimits:
    """Bounds of one document."""

    depth: int = 32
    source_bytes: int = 262_144
    elements: int = 5_000
    #: Of all breaks together.
    silence_s: float = 60.0


@dataclass(frozen=True)
class _Element:
    """An open tag."""

    name: str
    #: Style after its end.
    outer: Style
    #: What replaces its content: an alias, or phonemes.
    alias: str = ""
    ipa: str = ""


def parse_ssml(source: str, limits: SsmlLimits = SsmlLimits(), *, lenient: bool = False) -> Script:
    """Return the script of an SSML document.

    Args:
        lenient: unknown tags, attributes and values are dropped and named in the result; the text in them stays.

    Raises:
        MarkupError: not well formed, above a bound, or with an unknown part and not `lenient`.
    """
    source = without_surrogates(source)
    builder = ScriptBuilder(source, max_silence_s=limits.silence_s)
    found_bytes = len(source.encode())
    if found_bytes > limits.source_bytes:
        raise builder.error(0, f"{found_bytes} bytes exceed {limits.source_bytes}; send the text in parts")
    reader = _Reader(builder, limits, lenient)
    try:
        reader.parser.feed(source)
        reader.parser.close()
    except ParseError as error:
        remedy = _REMEDIES.get(error.code, "write & as &amp; and < as &lt; in text, and quote attributes")
        line, column = error.position
        raise MarkupError(f"not well formed ({expat_errors.messages[error.code]}); {remedy}", line, column + 1) from error
    except DefusedXmlException as error:
        raise builder.error(reader.position, "document types and entities are refused; remove <!DOCTYPE>") from error
    return builder.build()


class _Reader:
    """Target of the XML parser: appends to a builder what each tag and text asks for."""

    def __init__(self, builder: ScriptBuilder, limits: SsmlLimits, lenient: bool) -> None:
        self.parser = DefusedXMLParser(target=self, forbid_dtd=True)
        self._expat = self.parser.parser
        # Joined texts would lose their positions.
        self._expat.buffer_text = False
        self._builder, self._limits, self._lenient = builder, limits, lenient
        self._line_starts = [start for start, _ in split_lines(builder.source)]
        self._open: list[_Element] = []
        #: Tags so far, and open ones without sound.
        self._tags = self._silent = 0
        #: The open tag that has text only, and what it contains if that is replaced.
        self._text_only: _Element | None = None
        self._written: list[str] = []
        self._origins: list[Range] = []

    @property
    def position(self) -> int:
        """Position of the parser in the source: where the present tag or text begins."""
        line, column = self._expat.CurrentLineNumber, self._expat.CurrentColumnNumber
        return self._line_starts[int(line) - 1] + int(column)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Open a tag."""
        name = _short_name(tag)
        self._check(name)
        element = _Element(name, self._builder.style)
        if self._silent or name in _SILENT:
            self._silent += 1
        if name not in _TAGS and self._silent < 2:
            self._refuse(f"<{name}> is not supported; remove it, or write one of {', '.join(_TAGS)}", name)
        elif not self._silent:
            element = self._begin(element, self._known(name, attributes))
            self._text_only = element if name in _TEXT_ONLY else self._text_only
        self._open.append(element)

    def end(self, _tag: str) -> None:
        """Close a tag."""
        element = self._open.pop()
        if self._silent:
            self._silent -= 1
            return
        if element is self._text_only:
            self._end_text_only(element)
        elif element.name in ("p", "s"):
            self._builder.begin_sentence()
        self._builder.style = element.outer

    def data(self, text: str) -> None:
        """Append text: characters as in the source, or one that the source writes as a reference or a line end."""
        if self._silent:
            return
        position, source = self.position, self._builder.source
        name = self._open[-1].name
        if name in _EMPTY and text.strip():
            raise self._builder.error(position, f"<{name}> has text in it; write <{name}/> before the text")
        reference = _REFERENCE.match(source, position) if len(text) == 1 else None
        if reference:
            origins = [reference.span()]
        elif text == "\n" and source.startswith("\r\n", position):
            origins = [(position, position + 2)]
        else:
            origins = [*in_place(position, position + len(text))]
        if self._text_only and (self._text_only.alias or self._text_only.ipa):
            self._written.append(text)
            self._origins += origins
        else:
            self._builder.text(text, origins)

    def _check(self, name: str) -> None:
        """Refuse a tag that exceeds a bound or cannot be at its place."""
        self._tags += 1
        problem = ""
        if self._tags > self._limits.elements:
            problem = f"more than {self._limits.elements} tags; send the text in parts"
        elif len(self._open) >= self._limits.depth:
            problem = f"tags nest deeper than {self._limits.depth}; close some before"
        elif bool(self._open) == (name == "speak"):
            problem = f"<{name}> cannot be {'inside another tag' if self._open else 'the root'}; write one <speak> around all"
        elif self._open and self._open[-1].name in _EMPTY:
            problem = f"<{name}> cannot be inside <{self._open[-1].name}>; write it after <{self._open[-1].name}/>"
        elif self._text_only and name in _TAGS:
            problem = f"<{name}> cannot be inside <{self._text_only.name}>; write text only there"
        if problem:
            raise self._builder.error(self.position, problem)

    def _known(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        """Return the attributes that the tag has in this subset."""
        known = {}
        for tag, value in attributes.items():
            attribute = _short_name(tag)
            if attribute in _TAGS[name]:
                known[attribute] = value.strip()
            else:
                problem = f"<{name}> has no attribute {attribute!r} here; it has {', '.join(_TAGS[name])}"
                self._refuse(problem, f"{name} {attribute}", attribute)
        return known

    def _begin(self, element: _Element, attributes: dict[str, str]) -> _Element:
        """Do what a known tag asks for."""
        name, builder = element.name, self._builder
        needed = _NEEDED.get(name)
        if needed and needed not in attributes:
            self._refuse(f'<{name}> needs {needed}="..."; write it or remove the tag', name)
            return element
        if name in ("p", "s"):
            builder.begin_sentence()
        elif name == "emphasis":
            builder.ignore(name)
        elif name == "break":
            self._break(attributes)
        elif name == "mark" and (mark := self._value(name, "name", attributes["name"], values.parse_name)):
            builder.mark(mark, self.position)
        elif name == "sub":
            return replace(element, alias=self._value(name, "alias", attributes["alias"], values.parse_name) or "")
        elif name == "phoneme":
            return replace(element, ipa=self._ipa(attributes))
        builder.style = self._style(name, attributes)
        return element

    def _break(self, attributes: dict[str, str]) -> None:
        """Append a pause: `time` overrides `strength`, and without both it is of medium strength."""
        strength_s = self._value("break", "strength", attributes.get("strength", "medium"), values.parse_strength_s)
        time_s = self._value("break", "time", attributes.get("time"), values.parse_duration_s)
        self._builder.pause((strength_s or 0.0) if time_s is None else time_s, self.position)

    def _ipa(self, attributes: dict[str, str]) -> str:
        """Return the phonemes, "" if the written word is spoken."""
        if attributes.get("alphabet", "ipa").lower() != "ipa":
            self._refuse("only IPA is supported; write alphabet=\"ipa\" and ph in IPA", "phoneme alphabet", "alphabet")
            return ""
        return self._value("phoneme", "ph", attributes["ph"], values.parse_name) or ""

    def _style(self, name: str, attributes: dict[str, str]) -> Style:
        style = self._builder.style
        language = self._value(name, "xml:lang", attributes.get("xml:lang"), values.parse_language)
        style = replace(style, language=language or style.language)
        if name == "voice":
            style = replace(style, voice=self._value(name, "name", attributes["name"], values.parse_name) or style.voice)
        elif name == "say-as":
            self._builder.end_run()
            read_as = self._value(name, "interpret-as", attributes["interpret-as"], values.parse_interpretation)
            style = replace(style, say_as=SayAs(read_as, attributes.get("format", "")) if read_as else None)
        elif name == "prosody":
            if "pitch" in attributes:  # no engine can change it
                self._builder.ignore("prosody pitch")
            rate, volume, pitch = (
                self._factor(each, getattr(style, each), attributes.get(each), parse) for each, parse in _FACTORS.items()
            )
            style = replace(style, rate=rate, volume=volume, pitch=pitch)
        return style

    def _factor(self, attribute: str, outer: float, value: str | None, parse: Callable[[str, float], float]) -> float:
        factor = self._value("prosody", attribute, value, lambda value: parse(value, outer))
        return outer if factor is None else factor

    def _value(self, name: str, attribute: str, value: str | None, parse: Callable[[str], _Value]) -> _Value | None:
        """Return the parsed value, None without one or if a wrong one is dropped."""
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            problem = f"<{name}> has {attribute}={value[:MAX_NAME_CHARACTERS]!r}; {error}"
            self._refuse(problem, f"{name} {attribute}", attribute)
            return None

    def _end_text_only(self, element: _Element) -> None:
        """Append what replaces the content; white space at the content's ends separates words as before."""
        written, origins = "".join(self._written), self._origins
        self._text_only, self._written, self._origins = None, [], []
        start, stop = len(written) - len(written.lstrip()), len(written.rstrip())
        self._builder.text(written[: min(start, stop)], origins[: min(start, stop)])
        if start < stop and (element.alias or element.ipa):
            origin = origins[start][0], origins[stop - 1][1]
            self._builder.substitution(" ".join(written.split()), origin, element.alias, element.ipa)
        elif element.alias:
            self._builder.text(element.alias, [(self.position,) * 2] * len(element.alias))
        elif element.ipa:
            self._refuse("<phoneme> has no text in it; write the word between its tags, which captions show", "phoneme")
        self._builder.text(written[max(start, stop) :], origins[max(start, stop) :])

    def _refuse(self, problem: str, ignored: str, attribute: str = "") -> None:
        """Raise an error about the present tag or its attribute, or name what is ignored if the reader is lenient."""
        if self._lenient:
            self._builder.ignore(ignored)
            return
        position = self.position
        if attribute:
            local = re.escape(attribute.rpartition(":")[2])
            found = re.compile(rf"\s(?:[^\s=:\"']{{1,80}}:)?({local})\s*=").search(self._builder.source, position)
            position = found.start() + 1 if found else position
        raise self._builder.error(position, problem)


def _short_name(tag: str) -> str:
    """Return a name without SSML's namespace; of another one, only the last part of its address."""
    namespace, _, name = tag.rpartition("}")
    address = namespace.removeprefix("{")
    prefix = _PREFIXES.get(address, address.rstrip("/").rpartition("/")[2][-MAX_NAME_CHARACTERS // 2 :] + ":" if address else "")
    return (prefix + name)[:MAX_NAME_CHARACTERS]
