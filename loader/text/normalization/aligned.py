"""Aligned text: a text that was rewritten, with the range of the written text that each of its characters stands for."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

#: A half-open range of the present text, and the new text for it.
Replacement = tuple[int, int, str]


@dataclass(frozen=True)
class AlignedText:
    """A text and its origins. Every change returns a new one, whose origins are still those in the written text."""

    text: str
    #: For each character of `text`, a half-open range of the written text. Neither their starts nor their ends ever fall.
    origins: Sequence[tuple[int, int]]
    #: The range of the written text that all of `text` stands for, with what is not spoken at both ends.
    start: int
    stop: int

    @classmethod
    def of(cls, written: str, start: int, stop: int) -> "AlignedText":
        """Return a part of the written text, as written."""
        return cls(written[start:stop], [(place, place + 1) for place in range(start, stop)], start, stop)

    def replaced(self, replacements: Iterable[Replacement]) -> "AlignedText":
        """Return the text after replacements, which are in order and do not overlap.

        Whole words that the old and the new text begin or end with stay aligned; every other new character stands for the
        rest of the old text, and an insertion for the character before it.
        """
        texts: list[str] = []
        origins: list[tuple[int, int]] = []
        done = 0
        for start, stop, new in replacements:
            texts += [self.text[done:start], new]
            origins += self.origins[done:start]
            origins += self._align(start, stop, new)
            done = stop
        return replace(self, text="".join([*texts, self.text[done:]]), origins=[*origins, *self.origins[done:]])

    def substituted(self, pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str | None]) -> "AlignedText":
        """Return the text with `new` for each match; a function may return None to keep one. A string is not a template."""
        found: list[Replacement] = []
        for match in pattern.finditer(self.text):
            text = new if isinstance(new, str) else new(match)
            if text is not None and text != match[0]:
                found.append((*match.span(), text))
        return self.replaced(found) if found else self

    def part(self, start: int, stop: int) -> "AlignedText":
        """Return a part of the present text. The parts of a text share no written character, and together have all of them."""
        is_first, is_last = not self.text[:start].strip(), not self.text[stop:].strip()
        return AlignedText(
            self.text[start:stop],
            self.origins[start:stop],
            self.start if is_first else self.origins[start - 1][1],
            self.stop if is_last else self._next_start(stop),
        )

    def written_range(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of the written text that the characters [start, stop) stand for; at least one character."""
        return self.origins[start][0], self.origins[stop - 1][1]

    def _next_start(self, stop: int) -> int:
        """Return where the next part begins, which begins after white space."""
        following = stop + len(self.text[stop:]) - len(self.text[stop:].lstrip())
        return self.origins[following - 1][1]

    def _align(self, start: int, stop: int, new: str) -> Sequence[tuple[int, int]]:
        old = self.text[start:stop]
        head = _common_words(old, new)
        tail = min(_common_words(old[::-1], new[::-1]), len(old) - head, len(new) - head)
        first, last = start + head, stop - tail
        if first < last:
            origin = self.written_range(first, last)
        elif first:
            origin = self.origins[first - 1]
        else:
            origin = (self.origins[0][0],) * 2 if self.origins else (0, 0)
        middle = [origin] * (len(new) - head - tail)
        return [*self.origins[start:first], *middle, *self.origins[last:stop]]


def joined(parts: Sequence[AlignedText]) -> AlignedText:
    """Return the one text of parts that follow each other, at least one."""
    text = "".join(part.text for part in parts)
    return AlignedText(text, [origin for part in parts for origin in part.origins], parts[0].start, parts[-1].stop)


def _common_words(one: str, other: str) -> int:
    """Return the length of the common beginning that ends where a word ends in both."""
    place = next((place for place, (mine, its) in enumerate(zip(one, other)) if mine != its), min(len(one), len(other)))
    while place and not (_ends_word(one, place) and _ends_word(other, place)):
        place -= 1
    return place


def _ends_word(text: str, place: int) -> bool:
    return not (text[place - 1 : place].isalnum() and text[place : place + 1].isalnum())
