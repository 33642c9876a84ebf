"""Passages: texts that sentences are split from, with what markup says of their ranges."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from loader.text.markup.script import Item, Mark, Pause, SayAs, Script, Style, Substitution, TextRun

_Item = TypeVar("_Item")
_CLOSING_MARKS = re.compile(r"[.,;:!?\u2026)\]}\u00bb\u201d\u2019\"']+(?=\s|$)")


@dataclass(frozen=True)
class Change:
    """A range of a text that is spoken otherwise; one of the last three is set."""

    start: int
    stop: int
    text: str = ""
    #: Symbols of a voice.
    phonemes: str = ""
    say_as: SayAs | None = None


@dataclass(frozen=True)
class Cut:
    """A range of a text with one style, and the silence before it in seconds."""

    start: int
    stop: int
    style: Style
    pause_s: float


@dataclass(frozen=True)
class Passage:
    """A text and its markup; positions are in `text`, in order. Plain text has no markup."""

    text: str
    #: Where each style begins; the first begins at 0.
    styles: Sequence[tuple[int, Style]] = ((0, Style()),)
    #: Without overlap.
    changes: Sequence[Change] = ()
    #: Silences in seconds.
    pauses: Sequence[tuple[int, float]] = ()
    #: Names of moments.
    marks: Sequence[tuple[int, str]] = ()
    #: See `Script`.
    is_decoded: bool = False

    def part(self, start: int, stop: int, since: int) -> "Passage":
        """Return the range [start, stop), with the pauses and marks from `since` on, where the part before it ends."""
        first = max(0, bisect_right(self.styles, start, key=_place) - 1)
        last = max(first + 1, bisect_left(self.styles, stop, key=_place))
        changes = _between(self.changes, lambda each: each.start, start, stop)
        return Passage(
            self.text[start:stop],
            _moved(self.styles[first:last], start),
            [replace(each, start=each.start - start, stop=each.stop - start) for each in changes if each.stop <= stop],
            _moved(_between(self.pauses, _place, since, stop), start),
            _moved(_between(self.marks, _place, since, stop), start),
            self.is_decoded,
        )

    def has_markup_from(self, place: int) -> bool:
        """Whether there are pauses or marks from there on."""
        return any(some and some[-1][0] >= place for some in (self.pauses, self.marks))

    def cuts(self) -> Iterator["Cut"]:
        """Yield the ranges that are spoken without a break: they end at pauses and changes of style."""
        stop = len(self.text)
        pauses: dict[int, float] = {}
        for place, pause_s in self.pauses:
            after = self._after_marks(place)
            # The silence after all text is none of the text.
            place = after if after < stop else place
            pauses[place] = pauses.get(place, 0.0) + pause_s
        styles = {self._after_marks(place): style for place, style in self.styles}
        start, style = 0, styles[0]
        for place in (*sorted(place for place in {*styles, *pauses} if 0 < place < stop), stop):
            yield Cut(start, place, style, pauses.get(start, 0.0))
            start, style = place, styles.get(place, style)

    def _after_marks(self, place: int) -> int:
        """Return the place after the punctuation marks that end the text before `place`: by themselves they have no sound."""
        end = _CLOSING_MARKS.match(self.text, place) if place else None
        is_plain = end and not _between(self.changes, lambda each: each.start, place, end.end())
        return end.end() if end and is_plain else place


def passages_of(content: str | Script) -> Iterator[Passage]:
    """Yield the passages of a text or a script; no sentence goes on from one to the next.

    Pauses and marks after the last text are in a last passage without text.
    """
    if isinstance(content, str):
        yield Passage(join_surrogates(content))
        return
    items: list[Item] = []
    for item in content.items:
        if isinstance(item, TextRun | Substitution) and item.begins_sentence:
            before, items = _split_after_text(items)
            if before:
                yield _passage(before, content.is_decoded)
        items.append(item)
    for some in _split_after_text(items):
        if some:
            yield _passage(some, content.is_decoded)


def join_surrogates(text: str) -> str:
    """Return a text whose surrogate halves, which JSON can contain and UTF-8 cannot, are joined or dropped."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _split_after_text(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Return the items to the last text, and the pauses and marks after it."""
    after = next((place for place in range(len(items), 0, -1) if isinstance(items[place - 1], TextRun | Substitution)), 0)
    return items[:after], items[after:]


def _passage(items: Sequence[Item], is_decoded: bool) -> Passage:
    texts: list[str] = []
    styles: list[tuple[int, Style]] = []
    changes: list[Change] = []
    pauses: list[tuple[int, float]] = []
    marks: list[tuple[int, str]] = []
    start = 0
    for item in items:
        if isinstance(item, Pause):
            pauses.append((start, item.duration_s))
        elif isinstance(item, Mark):
            marks.append((start, item.name))
        else:
            # No engine changes the pitch, so that it cuts no sentence.
            style, say_as = replace(item.style, say_as=None, pitch=1.0), item.style.say_as
            if not styles or styles[-1][1] != style:
                styles.append((start, style))
            texts.append(item.text if isinstance(item, TextRun) else item.written)
            stop = start + len(texts[-1])
            if isinstance(item, Substitution):
                changes.append(Change(start, stop, item.alias, item.ipa))
            elif say_as:
                changes.append(Change(start, stop, say_as=say_as))
            start = stop
    return Passage("".join(texts), styles or [(0, Style())], changes, pauses, marks, is_decoded)


def _place(item: tuple[int, Any]) -> int:
    return item[0]


def _between(items: Sequence[_Item], key: Callable[[_Item], int], start: int, stop: int) -> Sequence[_Item]:
    """Return the items from `start` to before `stop`."""
    return items[bisect_left(items, start, key=key) : bisect_left(items, stop, key=key)]


def _moved(items: Sequence[tuple[int, _Item]], start: int) -> Sequence[tuple[int, _Item]]:
    """Return the items with positions from `start` on; those before it are at 0."""
    return [(max(0, place - start), item) for place, item in items]
