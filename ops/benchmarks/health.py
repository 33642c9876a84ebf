"""What probes wait for while every worker speaks and the queue is full."""

import http.client
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from .crowd import MOMENT_S, TEXT
from .machine import usable_cores
from .processes import serving
from .report import Figure, Report, Target, figure, progress
from .servers import HOST, Server, ours, started
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.1), help="How long it is probed a round."),
)
PATHS = ("/livez", "/readyz", "/metrics", "/status")
_PROBES_HZ = 10.0
#: Clients beyond those that are served or wait.
_REFUSED = 8
#: Who is not answered in that time has failed: what Kubernetes waits for unless it is told otherwise.
_PATIENCE_S = 1.0


@dataclass(frozen=True)
class Probe:
    """One probe on a connection of its own."""

    path: str
    #: From when it was meant to be sent to the last byte of its answer, or to its failure.
    took_ms: float
    #: None where there was no answer.
    status: int | None
    body: bytes = b""

    @property
    def is_well(self) -> bool:
        """Whether it was answered as a probe should be."""
        return self.status == http.client.OK


@dataclass(frozen=True)
class Round:
    """All probes of a while, and what /status said in them."""

    probes: tuple[Probe, ...]

    def took_ms(self, path: str) -> list[float]:
        """Return what the probes of one path took, failed ones included."""
        return [each.took_ms for each in self.probes if each.path == path]

    @property
    def failures(self) -> int:
        """Probes that were not answered with 200."""
        return sum(not each.is_well for each in self.probes)

    @cached_property
    def seen(self) -> tuple[dict[str, Any], ...]:
        """What the server showed, time after time."""
        return tuple(json.loads(each.body) for each in self.probes if each.path == "/status" and each.is_well)

    def share(self, is_so: Callable[[dict[str, Any]], bool]) -> float:
        """Return how often that was so."""
        return statistics.fmean(map(is_so, self.seen))

    def rate_hz(self, counted: Callable[[dict[str, Any]], int]) -> float:
        """Return how fast a total grew."""
        first, last = self.seen[0], self.seen[-1]
        return (counted(last) - counted(first)) / float(last["up_s"] - first["up_s"])


def health(rounds: int, scratch: Path, minutes: float) -> Report:
    """Latency of probes while every worker speaks and the queue is full."""
    config_path = write_config(scratch, embedded_voice(scratch).model_path, usable_cores())
    measured = [_round(number, config_path, scratch, minutes) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _notes(measured[0].seen[0], minutes))


def _round(number: int, config_path: Path, scratch: Path, minutes: float) -> Round:
    with started(ours(config_path), scratch / "health.log") as server:
        server.await_ready()
        with _full(server, scratch / "crowd.log"):
            measured = Round(tuple(_probes(server.port, round(60 * minutes * _PROBES_HZ))))
        if len(server.workers()) != usable_cores():
            raise server.child.failure("a worker ended while it was probed")
    slowest_ms = max(each.took_ms for each in measured.probes)
    progress(f"round {number}: {len(measured.probes)} probes, {measured.failures} failed, slowest {slowest_ms:.1f} ms")
    return measured


@contextmanager
def _full(server: Server, log: Path) -> Iterator[None]:
    """Keep every worker speaking and the queue full."""
    board = server.board()
    served, waiting = int(board.header["places"]) * usable_cores(), int(board.header["queue"])
    crowd = [sys.executable, "-m", "ops.benchmarks.crowd", str(server.port), str(served + waiting + _REFUSED)]
    with serving(crowd, log):
        server.await_(lambda: board.waiting() >= waiting)
        yield


def _probes(port: int, number: int) -> Iterator[Probe]:
    """Ask each path in turn, at even times, whatever the answers before took."""
    began_s = time.perf_counter()
    for turn, path in zip(range(number), itertools.cycle(PATHS)):
        intended_s = began_s + turn / _PROBES_HZ
        time.sleep(max(0.0, intended_s - time.perf_counter()))
        status, body = _asked(port, path)
        yield Probe(path, (time.perf_counter() - intended_s) * 1000, status, body)


def _asked(port: int, path: str) -> tuple[int | None, bytes]:
    """Ask as Kubernetes does, on a new connection."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=_PATIENCE_S)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None, b""


def _every_worker_speaks(seen: dict[str, Any]) -> bool:
    return all(worker["speaking"] for worker in seen["workers"])


def _is_full(seen: dict[str, Any]) -> bool:
    return bool(_waiting(seen) >= seen["queue"])


def _waiting(seen: dict[str, Any]) -> int:
    return sum(int(worker["waiting"]) for worker in seen["workers"])


def _refused(reason: str) -> Callable[[dict[str, Any]], int]:
    return lambda seen: int(seen["totals"]["refusals"][reason])


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        *(_of(path, "p50", rounds, statistics.median) for path in PATHS),
        *(_of(path, "p99", rounds, p99, Target("<=", 50)) for path in PATHS),
        *(_of(path, "slowest", rounds, max) for path in PATHS),
        figure("probes that failed", "", rounds, lambda each: each.failures, Target("<=", 0)),
        figure("every worker spoke, share of looks", "x", rounds, lambda each: each.share(_every_worker_speaks)),
        figure("queue full, share of looks", "x", rounds, lambda each: each.share(_is_full)),
        figure("fewest that waited", "", rounds, lambda each: min(_waiting(seen) for seen in each.seen)),
        figure("spoken", "1/s", rounds, lambda each: each.rate_hz(lambda seen: seen["totals"]["outcomes"]["done"])),
        figure("refused, queue full", "1/s", rounds, lambda each: each.rate_hz(_refused("queue_full"))),
        figure("waited too long", "1/s", rounds, lambda each: each.rate_hz(_refused("waited_too_long"))),
    )


def _of(
    path: str, what: str, rounds: list[Round], value: Callable[[list[float]], float], target: Target | None = None
) -> Figure:
    return figure(f"{path}: {what}", "ms", rounds, lambda each: value(each.took_ms(path)), target)


def p99(values: list[float]) -> float:
    """Return what 99 of 100 values do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[-1]


def _notes(seen: dict[str, Any], minutes: float) -> tuple[str, ...]:
    served = seen["places"] * len(seen["workers"])
    waiting = seen["queue"]
    clients = served + waiting + _REFUSED
    return (
        f"The embedded voice, a worker a core, default settings: {served} are served, {waiting} wait. {clients} clients want "
        f"{len(TEXT.split())} words each, whole WAV files, closed loop; who is refused comes again after {MOMENT_S:g} s.",
        f"{_PROBES_HZ:g} probes a second for {minutes:g} minutes, each path in turn, on a connection each, timed from when it "
        f"was meant to be sent; one that takes {_PATIENCE_S:g} s has failed. All have the same cores.",
    )
