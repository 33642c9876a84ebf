"""The parts of a voice, its engine and its front end: opened by the first speech or before, closed when unused."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loader.engines.base import Engine
from loader.text.reading import FrontEnd


@dataclass(frozen=True)
class Parts:
    """Engine and front end of an opened voice."""

    engine: Engine
    front_end: FrontEnd


class VoiceParts:
    """The parts of one voice in one process.

    Made in the master, closed. Opened there before the fork for all workers, or after it in one; used by many threads.
    """

    def __init__(
        self,
        open_parts: Callable[[], Parts],
        close_after_s: float | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin closed.

        Args:
            open_parts: called once for each opening.
            close_after_s: how long they stay open without a speech, see `close_if_unused`; None for ever.
            now_s: a clock.
        """
        self._open_parts = open_parts
        self._parts: Parts | None = None
        #: The process that opened them: this one, or the one that it was forked from.
        self._opened_by = 0
        self._opening = threading.Lock()
        #: How often they were made in this process since they were last closed, before a fork included: never more than once.
        self.constructions = 0
        self._counting = threading.Lock()
        self._close_after_s, self._now_s = close_after_s, now_s
        #: Speeches that have begun and not ended, and when the last one began or ended.
        self._speeches = 0
        self._used_at_s = now_s()

    @property
    def is_open(self) -> bool:
        """Whether they are open."""
        return self._parts is not None

    def shared(self, close_after_s: float | None) -> "VoiceParts":
        """Return these for another voice of the same artifact: open if these are. Runs in the master."""
        other = VoiceParts(self._open_parts, close_after_s)
        other._parts, other.constructions, other._opened_by = self._parts, self.constructions, self._opened_by
        return other

    def open(self) -> Parts:
        """Return them, opened now if they are not yet. They stay usable after they are closed."""
        self._used_at_s = self._now_s()
        # Read once: they may be closed meanwhile.
        parts = self._parts
        if parts is None:
            with self._opening:
                parts = self._parts
                if parts is None:
                    parts = self._open_parts()
                    # A lock of its own: the count shows whether the other lock failed.
                    with self._counting:
                        self.constructions += 1
                    self._parts, self._opened_by = parts, os.getpid()
        return parts

    @contextmanager
    def in_use(self) -> Iterator[Parts]:
        """Keep them open during a speech."""
        with self._counting:
            self._speeches += 1
        try:
            yield self.open()
        finally:
            with self._counting:
                self._speeches -= 1
                self._used_at_s = self._now_s()

    def close_if_unused(self) -> bool:
        """Drop them if nothing has used them for `close_after_s`; the next speech opens them again.

        The artifact stays mapped. Runs in a worker, in any one thread, between requests or during those of other voices.
        Returns whether they were open and are closed now; the caller collects garbage.
        """
        # What was opened before the fork is shared, and costs this process nothing.
        if self._close_after_s is None or self._parts is None or self._opened_by != os.getpid():
            return False
        with self._counting:
            if self._speeches or self._now_s() - self._used_at_s < self._close_after_s:
                return False
            self._parts, self.constructions = None, 0
            return True
