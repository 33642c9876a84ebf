"""Swap: a release that takes the place of another one under load."""

import shutil
import signal
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import click

from app.scoreboard.board import Scoreboard
from app.system.processes import memory_of_tree, sampled, sum_of
from app.tuning.loadgen import ANSWERED, Arrival, Result, open_loop, poisson
from app.tuning.workload import builtin_workload
from loader.releases.release import VERSION_FILE

from .load import THREADS, TIMEOUT_S, latency_ms, measure_capacity
from .report import Measure, Run, Value
from .servers import Server, ours, serving, usable_cores
from .voices import MeasuredVoice, embedded_voice

_WORKLOAD = builtin_workload()
_CANARY_S = 5.0
_SAMPLE_EVERY_S = 0.25
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Swap:
    """One swap, and the requests around it."""

    #: From SIGHUP until the canary is forked, and until all workers are new.
    prepared_s: float
    completed_s: float
    #: The most memory of all processes.
    peak_bytes: int
    #: Requests that were due before SIGHUP, and until the end.
    before: Sequence[Result]
    during: Sequence[Result]


@click.option("--load", default=0.5, show_default=True, type=click.FloatRange(0.0, 0.9), help="Load, as a share of the capacity.")
def swap(run: Run, load: float) -> Measure:
    """A release that takes the place of another one, under load.

    The embedded voice and the same under another version, baked before; a worker a core, 2 threads each; texts of 18 to 415
    characters, streamed, at random (Poisson). Three swaps a round, the canary for 5 s.
    Pairing: the 30 s before each swap, and the swap; medians of a round.
    Figures: seconds from SIGHUP; ms from when a request was due; MiB of all processes of the server, as PSS. Target: p95 during a
    swap / before <= 1.3, no request fails.
    """
    swaps, before_s = run.size(3, 1), run.size(30.0, 5.0)
    releases = _two_releases(embedded_voice(run), run.scratch)
    link = run.scratch / "voice"
    _point(link, releases[0])
    voice = MeasuredVoice(str(link), releases[0])
    config_path = voice.write_config(run.scratch, usable_cores(), threads=THREADS, rollout={"canary_s": _CANARY_S})

    def measure(number: int) -> Iterable[Value]:
        with serving(ours(config_path), run.scratch) as server:
            capacity_hz, _ = measure_capacity(server, _WORKLOAD, usable_cores() * THREADS, before_s)
            idle_bytes = _bytes_of(server)
            done = []
            for turn in range(swaps):
                current = releases.index(link.resolve())
                _point(link, releases[1 - current])
                done.append(_swap(server, load * capacity_hz, before_s, 100 * number + turn))
        return swap_values(done, idle_bytes)

    return measure


def _two_releases(voice: MeasuredVoice, scratch: Path) -> list[Path]:
    """Return the voice's release, and a copy of another version, both baked."""
    other = scratch / "other"
    shutil.copytree(voice.release, other, copy_function=shutil.copy)
    (other / VERSION_FILE).unlink()
    (other / VERSION_FILE).write_text("other\n", encoding="utf-8")
    for release in (voice.release, other):
        MeasuredVoice(str(release), release).bake(scratch)
    return [voice.release.resolve(), other.resolve()]


def _point(link: Path, target: Path) -> None:
    """Let a link name another folder, at once."""
    aside = link.with_name("aside")
    aside.symlink_to(target)
    aside.rename(link)


def _swap(server: Server, rate_hz: float, before_s: float, seed: int) -> Swap:
    """Swap after `before_s` of load, which goes on until the swap is over."""
    board, results, times_s = server.board(), list[Result](), [0.0, 0.0]
    is_over = False

    def arrivals() -> Iterable[Arrival]:
        for arrival in poisson(_WORKLOAD.draw(seed), rate_hz, 600.0, seed):
            if is_over:
                return
            yield arrival

    def ask() -> None:
        results.extend(open_loop(server.address, arrivals(), TIMEOUT_S, TIMEOUT_S))

    client = Thread(target=ask)
    client.start()
    try:
        time.sleep(before_s)
        with sampled(lambda: _bytes_of(server), _SAMPLE_EVERY_S) as samples:
            began_s, ended = time.perf_counter(), _rollouts(board)
            server.process.send_signal(signal.SIGHUP)
            server.poll(lambda: board.header["rollout"] == b"canary" or _rollouts(board) > ended, within_s=300.0)
            times_s[0] = time.perf_counter() - began_s
            server.poll(lambda: _rollouts(board) > ended, within_s=300.0)
            times_s[1] = time.perf_counter() - began_s
    finally:
        is_over = True
        client.join()
    if board.header["rollout"] != b"completed":
        raise server.failure(f"the swap ended with {board.header['rollout_reason'].decode()!r}")
    server.check()
    before, during = ([each for each in results if (each.due_s < before_s) is is_before] for is_before in (True, False))
    return Swap(times_s[0], times_s[1], max(samples), before, during)


def _rollouts(board: Scoreboard) -> int:
    return int(board.header["rollouts"].sum())


def _bytes_of(server: Server) -> int:
    return sum_of(memory_of_tree(server.pid).values()).pss_bytes


def swap_values(swaps: Sequence[Swap], idle_bytes: int) -> Iterable[Value]:
    """Return the values of a round."""
    p95_ms = [(latency_ms(each.before, "total", 95), latency_ms(each.during, "total", 95)) for each in swaps]
    failed = sum(result.outcome != ANSWERED for each in swaps for result in (*each.before, *each.during))
    yield Value("SIGHUP to canary", "s", statistics.median(each.prepared_s for each in swaps))
    yield Value("SIGHUP to completed", "s", statistics.median(each.completed_s for each in swaps))
    yield Value("before: whole p95", "ms", statistics.median(before for before, _ in p95_ms))
    yield Value("during: whole p95", "ms", statistics.median(during for _, during in p95_ms))
    yield Value("whole p95 during / before", "x", statistics.median(during / before for before, during in p95_ms), "<= 1.3")
    yield Value("requests without an answer", "", failed, "<= 0")
    yield Value("memory before", "MiB", idle_bytes / _MIB)
    yield Value("memory, most during", "MiB", statistics.median(each.peak_bytes for each in swaps) / _MIB)
