"""Watchdog: its cost, how soon it finds a leak, and false alarms over many requests.

As a program, `python -m ops.benchmarks.watchdog` serves real requests in one process, without HTTP, with the watchdog or without;
CHORUS_CONFIG names the configuration. It reads `cost TURNS`, `leak NAME BYTES` or `well REQUESTS`, one a line, and answers
with a line of JSON.
"""

import gc
import json
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from app import wsgi
from app.context import Context
from app.scoreboard.board import Scoreboard
from app.system import heap
from app.watchdog.watchdog import Watchdog

from . import faults
from .report import Measure, Run, Value
from .servers import program
from .voices import HELLO, SENTENCES, embedded_voice

_KIB = 1024
_WORDS = sorted({word.strip(".,") for sentence in SENTENCES for word in sentence.split()})
#: A leak that is not found by then counts as not found.
_MAX_REQUESTS = 1000


class Case(NamedTuple):
    """One leak: its name, class in `faults`, bytes per request, and the kind that the alert should name."""

    name: str
    leak: str
    size_bytes: int
    kind: str


_LEAKS = (("Python objects", "PythonLeak", "python"), ("numpy arrays", "NumpyLeak", "python"), ("C heap", "HeapLeak", "native"))
_SIZES = (("1 KiB", _KIB), ("64 KiB", 64 * _KIB), ("1 MiB", _KIB * _KIB))
CASES = (
    *(Case(f"{name}, {size}", leak, size_bytes, kind) for name, leak, kind in _LEAKS for size, size_bytes in _SIZES),
    Case("descriptors", "DescriptorLeak", 0, "descriptors"),
    Case("threads", "ThreadLeak", 0, "threads"),
)


@click.option("--requests", default=10_000, show_default=True, type=click.IntRange(100),
              help="How many requests without a leak there are, in all.")  # fmt: skip
def watchdog(run: Run, requests: int) -> Measure:
    """Cost of the watchdog, and the number of requests until a leak is found.

    The embedded voice in one process, real requests without HTTP.
    Pairing: the same sentences without the watchdog, with it, with tracemalloc always on, and with a collection after each
    request instead, in short turns.
    Figures: core time / without, medians of 10 turns a round; delay: requests of a new worker, its warm-up of 100 included, until
    the alert names the right kind, infinite for none; false alarms in requests of texts that were not spoken before.
    Targets: <= 1.02; <= 500; none.
    """
    turns, requests, cases = run.size(10, 1), run.size(requests, 20), run.size(CASES, CASES[1:2])
    config_path = embedded_voice(run).write_config(run.scratch, 1)
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "CHORUS_CONFIG": str(config_path)}

    def measure(number: int) -> Iterable[Value]:
        with program(run.scratch, "watchdog", environment=environment) as watched:
            if not run.is_quick:
                watched.ask("cost 1")  # the first turn fills caches
            cost = json.loads(watched.ask(f"cost {turns}"))
            yield Value("alone", "ms", 1000 * cost["alone"])
            yield Value("watched / alone", "x", cost["watched"] / cost["alone"], "<= 1.02")
            yield Value("traced / alone", "x", cost["traced"] / cost["alone"])
            yield Value("collected / alone", "x", cost["collected"] / cost["alone"])
            yield Value("a collection", "ms", 1000 * cost["collection_s"])
            yield Value("objects that a collection found", "", cost["found"])
            for case in cases:
                found = json.loads(watched.ask(f"leak {case.leak} {case.size_bytes}"))
                delay = float(found["requests"]) if found["kind"] == case.kind else float("inf")
                yield Value(f"delay, {case.name}", "", delay, "<= 500")
            if number == 1:
                yield Value("false alarms", "", len(json.loads(watched.ask(f"well {requests}"))), "<= 0")

    return measure


class _Unwatched:
    """Stands in for the watchdog, and does nothing."""

    def synthesised(self, voice: str) -> None:
        """Ignore a spoken request."""


class _Worker:
    """A worker without gunicorn: the application, its heap frozen as before a fork."""

    def __init__(self) -> None:
        heap.keep_one_heap()
        gc.disable()
        flask = wsgi.create()
        self._context: Context = flask.extensions["chorus"]
        board = Scoreboard(1)
        self._context.enter_worker(board, board.take_slot())
        self._client = flask.test_client()
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

    def speak_new_text(self, seed: int) -> None:
        """Send a text that was not sent before: two to seven words."""
        self.speak(" ".join(self._random.choices(_WORDS, k=self._random.randint(2, 7))) + ".", seed)

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Run the watchdog, as in a worker of gunicorn; yields the kinds of its alerts, which grow."""
        alerts: list[str] = []
        watching = Watchdog(self._context.settings.watchdog, lambda sample: None, alerts.append, lambda: True, lambda: None)
        self._use(watching)
        watching.begin()
        try:
            yield alerts
        finally:
            watching.stop()
            self._use(_Unwatched())

    def _use(self, watching: Any) -> None:
        self._context.watchdog = watching


def _cost(worker: _Worker, turns: int) -> dict[str, float]:
    """Return seconds of core time per request for every side, how long a collection took, and how many objects it found.

    The sides take short turns, so that other work on the machine reaches all of them.
    """
    collections: list[tuple[float, int]] = []
    spent_s: dict[str, list[float]] = {"alone": [], "watched": [], "traced": [], "collected": []}

    def collect() -> None:
        began_s = time.perf_counter()
        found = gc.collect()
        collections.append((time.perf_counter() - began_s, found))

    def speak(side: str, after: Callable[[], None] = lambda: None) -> None:
        """Every side speaks the same."""
        began_s = time.process_time()
        for text in SENTENCES:
            worker.speak(text, turn)
            after()
        spent_s[side].append((time.process_time() - began_s) / len(SENTENCES))

    for turn in range(turns):
        speak("alone")
        with worker.watched():
            speak("watched")
            tracemalloc.start()
            speak("traced")
            tracemalloc.stop()
        speak("collected", collect)
    took_s, found = zip(*collections, strict=True)
    medians = {side: statistics.median(each) for side, each in spent_s.items()}
    return {**medians, "collection_s": statistics.fmean(took_s), "found": statistics.fmean(found)}


def _leak(worker: _Worker, name: str, size_bytes: int) -> dict[str, Any]:
    """Return after how many leaking requests there was an alert, and its kind; None if there was none."""
    make: Any = getattr(faults, name)
    leaking = make(size_bytes) if size_bytes else make()
    with worker.watched() as alerts:
        for number in range(1, _MAX_REQUESTS + 1):
            leaking.serve(number)
            worker.speak_new_text(number)
            if alerts:
                break
    leaking.close()
    return {"requests": number, "kind": alerts[0] if alerts else None}


def _well(worker: _Worker, requests: int) -> list[str]:
    """Return the alerts over that many requests without a leak."""
    with worker.watched() as alerts:
        for number in range(requests):
            worker.speak_new_text(number)
    return alerts


def _answer_lines() -> None:
    worker = _Worker()
    for line in sys.stdin:
        match line.split():
            case ["cost", turns]:
                answer: Any = _cost(worker, int(turns))
            case ["leak", name, size_bytes]:
                answer = _leak(worker, name, int(size_bytes))
            case [_, requests]:
                answer = _well(worker, int(requests))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _answer_lines()
