"""spokenform, opened for one language: its passes over a text, and its numbers.

Its own `prepare` keeps maps of every character through eight stages, which takes most of its time: 13 ms for a sentence with
20 numbers and marks, 4 ms by its three passes alone, with the same words (spokenform 0.4.5, 2026-11-30).
"""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from loader.text.normalization.aligned import Replacement
from loader.text.normalization.misreadings import is_misread

#: Reads Chinese numbers only, and builds tables at its import: half of the time and of the memory (cn2an 0.5.24, 2026-11-30).
_LATE_MODULE = "cn2an"
#: The package of all languages: 0.04 s and 9 MB, of which one language needs next to nothing (numeralform 0.1.9, 2026-11-30).
_RENDERERS = "numeralform.renderers"
#: Arguments of a language's renderer, as numeralform itself has them.
_VARIANTS = {"pt": ("pt-PT",)}
_importing = threading.Lock()


class SpokenformLibrary:
    """The library for one language; immutable, for many threads."""

    def __init__(self, language: str) -> None:
        """Import the library; 0.1 s for the first language (2026-11-30)."""
        with _importing, _postponed(_LATE_MODULE):
            _import_renderer(language)
            self._library: Any = importlib.import_module("spokenform")
            self._structured: Any = importlib.import_module("spokenform.structured")
            self._numbers: Any = importlib.import_module("spokenform.numbers")
            self._words: Any = importlib.import_module("spokenform.number_words")
            self._abbreviations: Any = importlib.import_module("abbr2words")
            if self._library.language_has_plain_number_backend(language) and language != "zh":
                _register(self._library.resolve_numeralform_locale(language))
        self._language = language
        self._abbreviation_language = self._library.resolve_abbr2words_language(language)

    def cardinal(self, number: int) -> str:
        """Return `twenty-one` for 21.

        Raises:
            ValueError: the number is outside the library's range.
        """
        return str(self._words.cardinal(number, self._language))

    def ordinal(self, number: int) -> str:
        """Return `twenty-first` for 21.

        Raises:
            ValueError: the number is outside the library's range.
        """
        return str(self._words.ordinal(number, self._language))

    def replacements(self, text: str) -> list[Replacement]:
        """Return the words for all that the library reads: structures such as dates, then abbreviations, then numbers.

        Raises:
            Exception: of no common class; a number is outside the library's range.
        """
        candidates = self._structured.iter_structured_candidates(text, language=self._language, promote_literals=True)
        well_read, misread = _judged(candidates, text)
        found = self._structured.resolve_structured_candidates(text, tuple(well_read), language=self._language)
        done: list[Replacement] = [(each.start, each.end, each.text) for each in found]
        kept, present = _spans(done), _replaced(text, done)
        left = [(_place(each.start, done), _place(each.end, done)) for each in misread if not _overlaps(each, done)]
        expanded = self._abbreviations.abbr2words_with_replacements(
            present, lang=self._abbreviation_language, registered_initialism_mode="spell",
            protected_spans=[*kept, *left],
        ).replacements  # fmt: skip
        converted = self._library.convert_abbr_replacements(expanded, language=self._language)
        abbreviations = [(each.start, each.end, each.text) for each in _judged(converted, present)[0]]
        kept = [*_spans(abbreviations), *((_place(start, abbreviations), _place(stop, abbreviations)) for start, stop in kept)]
        return self._with_numbers(text, _composed(done, abbreviations), kept)

    def _with_numbers(self, text: str, done: list[Replacement], kept: Sequence[tuple[int, int]]) -> list[Replacement]:
        """Return `done` and the words for the numbers outside `kept`, which are ranges of the text after `done`."""
        present = _replaced(text, done)
        spoken = self._numbers.normalize_plain_numbers(
            present, language=self._language, protected_ranges=tuple(kept), long_number_mode="cardinal"
        )
        return done if spoken == present else _composed(done, _changes(present, spoken))


@cache
def library_of(language: str) -> SpokenformLibrary:
    """Return the one library of a language."""
    return SpokenformLibrary(language)


@contextmanager
def _postponed(name: str) -> Iterator[None]:
    """Have what is imported meanwhile import that module when it is used. `importlib.util.LazyLoader` does so at an `import`."""
    if name in sys.modules:
        yield
        return
    late = ModuleType(name)
    late.__dict__["__getattr__"] = lambda attribute: getattr(importlib.import_module(name), attribute)
    sys.modules[name] = late
    try:
        yield
    finally:
        del sys.modules[name]


def _import_renderer(language: str) -> None:
    """Import the numbers of one language, and not those of the sixty others. Does nothing for an unknown one."""
    if _RENDERERS not in sys.modules:
        found = importlib.util.find_spec("numeralform")
        package = ModuleType(_RENDERERS)
        package.__path__ = [str(Path(place) / "renderers") for place in (found and found.submodule_search_locations) or ()]
        sys.modules[_RENDERERS] = package
    registry: Any = importlib.import_module("numeralform.registry")
    if not isinstance(getattr(sys.modules[_RENDERERS], "__file__", None), str):
        # Its own list would import all.
        registry._BUILTINS_INITIALIZED = True
    elif registry._BUILTINS_INITIALIZED:
        return
    name = f"{_RENDERERS}.{language}"
    if not language.isalpha() or importlib.util.find_spec(name) is None:
        return
    module = importlib.import_module(name)
    kinds = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
    kind: Any = next(each for each in kinds if each.__name__.endswith("Renderer"))
    registry.register_locale(language, kind(*_VARIANTS.get(language, ())))


class _Renderer:
    """A renderer of numeralform that makes its constant description once, which was half of the time of a number."""

    def __init__(self, renderer: Any) -> None:
        self._capabilities = renderer.capabilities()
        self._render = renderer.render
        self.locale = renderer.locale

    def capabilities(self) -> Any:
        return self._capabilities

    def render(self, request: Any) -> Any:
        """Return the words: `dreihunderteintausend` for 301.000; numeralform 0.1.9 says `einstausend` (2026-11-30)."""
        result = self._render(request)
        return replace(result, text=result.text.replace("einstausend", "eintausend"))


def _register(locale: str) -> None:
    """Replace the renderer of a language by one that is faster."""
    registry: Any = importlib.import_module("numeralform.registry")
    registry.register_locale(locale, _Renderer(registry.resolve(locale)))


def _judged(found: Iterable[Any], text: str) -> tuple[list[Any], list[Any]]:
    """Return the library's replacements, and those of something else than it took them for."""
    well_read: list[Any] = []
    misread: list[Any] = []
    for each in found:
        is_wrong = is_misread(each.rule, text[each.start : each.end], text[each.end :])
        (misread if is_wrong else well_read).append(each)
    return well_read, misread


def _overlaps(found: Any, done: Iterable[Replacement]) -> bool:
    return any(start < found.end and found.start < stop for start, stop, _ in done)


def _composed(first: Sequence[Replacement], then: Sequence[Replacement]) -> list[Replacement]:
    """Return replacements of the text before `first` that do what `first` and `then` do after one another.

    One of `then` that is within the result of `first` is left out.
    """
    spans = _spans(first)
    composed = list(first)
    for start, stop, new in then:
        if not any(begin < stop and start < end for begin, end in spans):
            moved = sum(end - begin - done[1] + done[0] for done, (begin, end) in zip(first, spans, strict=True) if end <= start)
            composed.append((start - moved, stop - moved, new))
    return sorted(composed)


def _spans(done: Iterable[Replacement]) -> list[tuple[int, int]]:
    """Return where the new texts are after all replacements."""
    moved, spans = 0, []
    for start, stop, new in done:
        spans.append((start + moved, start + moved + len(new)))
        moved += len(new) - stop + start
    return spans


def _place(place: int, done: Iterable[Replacement]) -> int:
    """Return where a place outside the replacements is after them."""
    return place + sum(len(new) - stop + start for start, stop, new in done if stop <= place)


def _replaced(text: str, done: Iterable[Replacement]) -> str:
    parts, place = [], 0
    for start, stop, new in done:
        parts += [text[place:start], new]
        place = stop
    return "".join([*parts, text[place:]])


def _changes(text: str, spoken: str) -> list[Replacement]:
    """Return the shortest way from one text to the other, changes that touch as one."""
    from rapidfuzz.distance import Levenshtein  # late, as in `loader.text.alignment`

    changes: list[Replacement] = []
    for each in Levenshtein.opcodes(text, spoken):
        start, new = each.src_start, spoken[each.dest_start : each.dest_end]
        if each.tag == "equal":
            continue
        if changes and changes[-1][1] == start:
            start, _, before = changes.pop()
            new = before + new
        changes.append((start, each.src_end, new))
    return changes
