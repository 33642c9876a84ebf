"""Text that is still being written, cut into sentences as soon as they are complete."""

import asyncio
import re

from app.gateway.errors import TooMuchTextError
from loader.text.sentences import PIECE_CHARACTERS, split_at_breaks, split_sentences

#: Characters of one client that wait to be spoken: hours of speech. A client that sends more is ahead for no purpose.
MAX_WAITING_CHARACTERS = 100_000
#: A sentence without an end is cut there, so that the cost of a further word stays the same.
_MAX_SENTENCE_CHARACTERS = 2_000
#: Stands for the text that follows: what comes before it is complete if it begins a sentence of its own. A word that does not
#: begin most sentences, as `And` does, before which sentencex 1.0.32 ends a sentence after `Dr.` too.
_NEXT = "Smith"
_SSML = "<speak"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*")


class WrittenText:
    """The sentences of one text, in order, while it is still being written; to be iterated once.

    Args:
        language: of the text, for the ends of its sentences, as the client names it; "" if unknown.
        is_whole: the text cannot be cut, such as SSML; it is one piece, known when the text ends.
    """

    def __init__(self, language: str = "", is_whole: bool = False) -> None:
        self._language = language if _LANGUAGE.fullmatch(language) else "en"
        self._is_whole = is_whole
        self._rest = ""
        self._waiting_characters = 0
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def add(self, text: str) -> None:
        """Add the text that was written.

        Raises:
            TooMuchTextError: too much waits to be spoken.
        """
        if self._waiting_characters + len(self._rest) + len(text) > MAX_WAITING_CHARACTERS:
            raise TooMuchTextError(
                f"more than {MAX_WAITING_CHARACTERS} characters wait to be spoken; send the text as it is heard"
            )
        self._rest += text
        # The beginning decides, and arrives in pieces.
        if self._is_whole or self._rest.lstrip()[: len(_SSML)].lower() == _SSML:
            return
        complete, self._rest = split_complete(self._rest, self._language)
        for sentence in complete:
            self._put(sentence)

    def finish(self) -> None:
        """End the text: the rest of it is its last sentence."""
        if rest := self._rest.strip():
            self._put(rest)
        self._rest = ""
        self._pieces.put_nowait(None)

    def __aiter__(self) -> "WrittenText":
        return self

    async def __anext__(self) -> str:
        piece = await self._pieces.get()
        if piece is None:
            raise StopAsyncIteration
        self._waiting_characters -= len(piece)
        return piece

    def _put(self, sentence: str) -> None:
        self._waiting_characters += len(sentence)
        self._pieces.put_nowait(sentence)


def split_complete(text: str, language: str) -> tuple[list[str], str]:
    """Return the sentences of `text` that what follows cannot change, and the rest, with its white space."""
    sentences = list(split_sentences(text, language))
    if not sentences:
        return [], text
    last = sentences.pop()
    start = text.rfind(last)
    # Surrogate halves are dropped from sentences, so one may not be found.
    rest = text[start:] if start >= 0 else last
    if rest[-1:].isspace() and list(split_sentences(last + " " + _NEXT, language))[-1] == _NEXT:
        return [*sentences, last], ""
    if len(rest) <= _MAX_SENTENCE_CHARACTERS:
        return sentences, rest
    *pieces, _ = split_at_breaks(last, PIECE_CHARACTERS)
    end = 0
    for piece in pieces:
        end = rest.find(piece, end) + len(piece)
    return [*sentences, *pieces], rest[end:]
