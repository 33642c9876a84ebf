"""Real requests in one process, watched or not: `python -m ops.benchmarks.watched`, the configuration in CHORUS_CONFIG.

Takes a line, answers with a line of JSON: `cost TURNS`, `leak NAME BYTES`, `well REQUESTS` (see the functions).
"""

import gc
import importlib
import json
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from app import wsgi
from app.context import Context
from app.scoreboard.board import Scoreboard
from app.system import heap
from app.watchdog.watchdog import Watchdog

from .texts import HELLO, SENTENCES

_WORDS = sorted({word.strip(".,") for sentence in SENTENCES for word in sentence.split()})
#: A leak that was not found by then is not found.
_MOST_REQUESTS = 1000


class _Unwatched:
    def synthesised(self, voice: str) -> None:
        """A request was spoken; nobody wants to know."""


class Process:
    """A worker without gunicorn: the application, its heap frozen as before a fork."""

    def __init__(self) -> None:
        heap.keep_one_heap()
        gc.disable()
        self._flask: Flask = wsgi.create()
        self._context: Context = self._flask.extensions["chorus"]
        board = Scoreboard(1)
        self._context.enter_worker(board, board.take_slot())
        self._client = self._flask.test_client()
        self._random = random.Random(1)
        self._use(_Unwatched())
        for seed in range(20):
            self.speak(HELLO, seed)
        gc.collect()
        gc.freeze()
        gc.enable()

    def speak(self, text: str, seed: int) -> None:
        """Send one request and read its answer."""
        answer = self._client.post("/v1/audio/speech", json={"input": text, "seed": seed, "response_format": "wav"})
        assert answer.status_code == 200 and answer.data
        answer.close()

    def speak_anything(self, seed: int) -> None:
        """Send a request that was not sent before: two to seven words."""
        self.speak(" ".join(self._random.choices(_WORDS, k=self._random.randint(2, 7))) + ".", seed)

    @contextmanager
    def watched(self, alerted: Callable[[str], None] = lambda kind: None) -> Iterator[None]:
        """Have the watchdog watch, as it does in a worker."""
        watchdog = Watchdog(self._context.settings.watchdog, lambda sample: None, alerted, lambda: True, lambda: None)
        self._use(watchdog)
        watchdog.begin()
        try:
            yield
        finally:
            watchdog.stop()
            self._use(_Unwatched())

    def _use(self, watchdog: Any) -> None:
        self._context.watchdog = watchdog


@contextmanager
def _traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def cost(process: Process, turns: int) -> dict[str, float]:
    """Return seconds of core time for a request: alone, watched, watched and traced, and with the garbage collected after it.

    And how long a collection took, and how many objects it found. The sides take turns, short ones, so that what else
    the machine does reaches all of them.
    """
    collections = _Collections()
    spent_s: dict[str, list[float]] = {"alone": [], "watched": [], "traced": [], "collected": []}
    for turn in range(turns):
        spent_s["alone"].append(_spent_s(process, turn))
        with process.watched():
            spent_s["watched"].append(_spent_s(process, turn))
            with _traced():
                spent_s["traced"].append(_spent_s(process, turn))
        spent_s["collected"].append(_spent_s(process, turn, collections.collect))
    return {**{side: statistics.median(each) for side, each in spent_s.items()}, **collections.means()}


class _Collections:
    """Collections of the garbage."""

    def __init__(self) -> None:
        self._took_s: list[float] = []
        self._found: list[int] = []

    def collect(self) -> None:
        """Do one, and note what came of it."""
        began_s = time.perf_counter()
        self._found.append(gc.collect())
        self._took_s.append(time.perf_counter() - began_s)

    def means(self) -> dict[str, float]:
        """Return how long one took, and how many objects it found."""
        return {"collection_s": statistics.fmean(self._took_s), "found": statistics.fmean(self._found)}


def _spent_s(process: Process, turn: int, after: Callable[[], None] = lambda: None) -> float:
    """Return the core time of a request, by those of one turn: every side speaks the same."""
    began_s = time.process_time()
    for text in SENTENCES:
        process.speak(text, turn)
        after()
    return (time.process_time() - began_s) / len(SENTENCES)


def leak(process: Process, name: str, size_bytes: int) -> dict[str, Any]:
    """Return after how many requests that each left so much behind there was an alert, and of what; no kind for none."""
    alerts: list[str] = []
    make: Any = getattr(importlib.import_module("tests.app.watchdog.leaks"), name)
    left_behind = make(size_bytes) if size_bytes else make()
    with process.watched(alerts.append):
        for number in range(1, _MOST_REQUESTS + 1):
            left_behind.serve(number)
            process.speak_anything(number)
            if alerts:
                break
    left_behind.close()
    return {"requests": number, "kind": alerts[0] if alerts else None}


def well(process: Process, requests: int) -> dict[str, Any]:
    """Return the alerts over so many requests that leave nothing behind."""
    alerts: list[str] = []
    with process.watched(alerts.append):
        for number in range(requests):
            process.speak_anything(number)
    return {"alerts": alerts}


def main() -> None:
    """Answer every line."""
    process = Process()
    for line in sys.stdin:
        what, *words = line.split()
        if what == "cost":
            answer: dict[str, Any] = cost(process, int(words[0]))
        elif what == "leak":
            answer = leak(process, words[0], int(words[1]))
        else:
            answer = well(process, int(words[0]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
