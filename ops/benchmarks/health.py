"""Health probes: how long they take while every worker speaks and the queue is full.

As a program, `python -m ops.benchmarks.health PORT CLIENTS` is the load: clients in a closed loop until it is ended. A process of
its own, so that its work does not delay the probes.
"""

import http.client
import itertools
import json
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from app.tuning.loadgen import closed_loop
from app.tuning.server import HOST, connection_to

from .report import Report, Run, Value, percentile, usable_cores
from .servers import Server, ask_ours, ours, program, running, started
from .voices import SHORT_TEXT, embedded_voice, write_config

OPTIONS = (
    click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.1), help="How long it is probed a round."),
)
PATHS = ("/livez", "/readyz", "/metrics", "/status")
_PROBES_HZ = 10.0
#: Clients beyond those that are served or wait.
_REFUSED = 8
#: Pause of a refused client: less than the server says, so that some always find the queue full.
_PAUSE_S = 1.0
#: A probe without an answer in that time has failed: the default of Kubernetes.
_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Probe:
    """One probe on a connection of its own."""

    path: str
    #: From when it was due to the last byte of its answer, or to its failure.
    took_ms: float
    #: None if there was no answer.
    status: int | None
    body: bytes = b""


def health(run: Run, minutes: float) -> Report:
    """Latency of probes while every worker speaks and the queue is full.

    Pairing: none; every path in turn, at even intervals.
    Figures: ms by path, failed probes. Target: p99 <= 50 ms, no failure.
    """
    minutes = run.size(minutes, 0.1)
    config_path = write_config(run.scratch, embedded_voice(run.scratch).model_path, usable_cores())

    def measure(_number: int) -> Iterable[Value]:
        with started(ours(config_path), run.scratch / "health.log") as server:
            server.await_ready()
            with _saturated(server, run.scratch / "clients.log"):
                probes = list(_probes(server.port, round(60 * minutes * _PROBES_HZ)))
            if len(server.launched.worker_pids()) != usable_cores():
                raise server.launched.failure("a worker ended while it was probed")
        return probe_values(probes)

    return run.report(
        measure,
        f"The embedded voice, a worker a core, default settings. {_REFUSED} clients more than are served and may wait ask for "
        f"{len(SHORT_TEXT.split())} words each, whole WAV files, closed loop; a refused client asks again after {_PAUSE_S:g} s.",
        f"{_PROBES_HZ:g} probes a second for {minutes:g} minutes, each path in turn, on a connection each, timed from when it "
        f"was due; one that takes {_TIMEOUT_S:g} s has failed. All have the same cores.",
    )


@contextmanager
def _saturated(server: Server, log: Path) -> Iterator[None]:
    """Keep every worker speaking and the queue full."""
    board = server.board()
    served, waiting = int(board.header["places"]) * usable_cores(), int(board.header["queue"])
    with running(program("health", server.port, served + waiting + _REFUSED), log):
        server.await_(lambda: board.waiting() >= waiting)
        yield


def _probes(port: int, number: int) -> Iterator[Probe]:
    """Probe each path in turn, at even intervals, however long earlier answers took."""
    began_s = time.perf_counter()
    for turn, path in zip(range(number), itertools.cycle(PATHS)):
        due_s = began_s + turn / _PROBES_HZ
        time.sleep(max(0.0, due_s - time.perf_counter()))
        # On a new connection, as Kubernetes does.
        with closing(connection_to((HOST, port), _TIMEOUT_S)) as connection:
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                status, body = response.status, response.read()
            except (OSError, http.client.HTTPException):
                status, body = None, b""
        yield Probe(path, (time.perf_counter() - due_s) * 1000, status, body)


def probe_values(probes: Sequence[Probe]) -> Iterable[Value]:
    """Return the values of probes by path, failed ones included, and what those of /status say of the load."""
    took_ms = {path: [each.took_ms for each in probes if each.path == path] for path in PATHS}
    for path, each in took_ms.items():
        yield Value(f"{path}: p50", "ms", percentile(each, 50))
        yield Value(f"{path}: p99", "ms", percentile(each, 99), "<= 50")
        yield Value(f"{path}: slowest", "ms", max(each))
    yield Value("probes that failed", "", sum(each.status != http.client.OK for each in probes), "<= 0")
    states = [json.loads(each.body) for each in probes if each.path == "/status" and each.status == http.client.OK]
    waiting = [sum(worker["waiting"] for worker in state["workers"]) for state in states]
    speaking = [all(worker["speaking"] for worker in state["workers"]) for state in states]
    is_full = [each >= state["queue"] for each, state in zip(waiting, states, strict=True)]
    yield Value("every worker spoke, share of looks", "x", statistics.fmean(speaking))
    yield Value("queue full, share of looks", "x", statistics.fmean(is_full))
    yield Value("fewest that waited", "", min(waiting))
    up_s = states[-1]["up_s"] - states[0]["up_s"]
    totals = (
        ("spoken", "outcomes", "done"), ("refused, queue full", "refusals", "queue_full"),
        ("waited too long", "refusals", "waited_too_long"),
    )  # fmt: skip
    for name, group, key in totals:
        first, last = (state["totals"][group][key] for state in (states[0], states[-1]))
        yield Value(name, "1/s", (last - first) / up_s)


def _ask_for_ever(port: int, clients: int) -> None:
    requests = (ask_ours(SHORT_TEXT, seed) for seed in itertools.count())
    closed_loop((HOST, port), requests, clients, pause_s=_PAUSE_S)


if __name__ == "__main__":
    _ask_for_ever(int(sys.argv[1]), int(sys.argv[2]))
