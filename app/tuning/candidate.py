"""Candidates: a number of workers and of threads each, and the real server that is measured with them."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from app.system.processes import children_of, memory_of_tree
from app.tuning.loadgen import Arrival, Request, Result, closed_loop, open_loop, send
from app.tuning.server import HOST, Address, free_port, launch_chorus
from app.tuning.units import BadQuantityError
from loader.config.settings import Settings, bounds_of
from loader.config.yaml import read_document

#: From the lowest that a configuration accepts; more than eight requests in one process gain nothing on a processor
#: that two of them fill.
THREADS = (2, 4, 8)
_BASELINE_THREADS = 4
#: Workers as shares of the cores: fewer than cores, as one request may use several; and more, as a request also waits.
_SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)


@dataclass(frozen=True, order=True)
class Candidate:
    """A number of workers and of requests each serves at a time. Ordered by cost: a worker costs more than a thread."""

    workers: int
    threads: int

    @property
    def places(self) -> int:
        """Requests that are served at a time."""
        return self.workers * self.threads

    def __str__(self) -> str:
        return f"{self.workers} x {self.threads}"


@dataclass(frozen=True)
class ServerMemory:
    """Master and workers at one moment."""

    #: All of them together: what ending the server would free.
    pss_bytes: int
    #: Of each worker and its children: pages that no other process maps.
    worker_uss_bytes: tuple[int, ...]

    @property
    def shared_bytes(self) -> int:
        """What is there once, however many workers there are."""
        return max(0, self.pss_bytes - sum(self.worker_uss_bytes))


class MeasuredServer(Protocol):
    """One running server. Any call raises a LoaderError if the server has ended."""

    def send(self, request: Request) -> Result:
        """Send one request and wait for its answer."""
        ...

    def open_loop(self, arrivals: Sequence[Arrival], drain_s: float) -> list[Result]:
        """See `app.tuning.loadgen.open_loop`."""
        ...

    def closed_loop(self, requests: Iterator[Request], clients: int, for_s: float, drain_s: float) -> list[Result]:
        """See `app.tuning.loadgen.closed_loop`."""
        ...

    def memory(self) -> ServerMemory:
        """Read the memory of its processes."""
        ...


#: Starts the server of a candidate; it is ready inside the context and gone after it.
Launch = Callable[[Candidate], AbstractContextManager[MeasuredServer]]


@dataclass(frozen=True)
class HttpServer:
    """A server at an address of this machine. `check` raises if it has ended, which would look like many lost requests."""

    address: Address
    memory: Callable[[], ServerMemory]
    check: Callable[[], None] = lambda: None

    def send(self, request: Request) -> Result:
        """See `MeasuredServer`."""
        result = send(self.address, request)
        self.check()
        return result

    def open_loop(self, arrivals: Sequence[Arrival], drain_s: float) -> list[Result]:
        """See `MeasuredServer`."""
        results = open_loop(self.address, arrivals, drain_s)
        self.check()
        return results

    def closed_loop(self, requests: Iterator[Request], clients: int, for_s: float, drain_s: float) -> list[Result]:
        """See `MeasuredServer`."""
        results = closed_loop(self.address, requests, clients, for_s, drain_s)
        self.check()
        return results


def candidate_launcher(settings: Settings, scratch: Path, cores: float) -> Launch:
    """Return how the configured server starts with what is varied, on the first `cores` processors of this process."""
    processors = sorted(os.sched_getaffinity(0))[: math.ceil(cores)]

    @contextmanager
    def launch(candidate: Candidate) -> Iterator[MeasuredServer]:
        config, port = scratch / "tts_config.yaml", free_port()
        document = document_for(read_document(settings.path), settings, candidate, port)
        config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        with launch_chorus(config, scratch / "server.log", address=(HOST, port), processors=processors) as server:
            server.wait_ready(workers=candidate.workers)
            yield HttpServer(server.address, lambda: server_memory(server.pid), server.check)

    return launch


def document_for(document: Mapping[str, Any], settings: Settings, candidate: Candidate, port: int) -> dict[str, Any]:
    """Return the user's configuration with what is varied, on a port of its own, without API keys and without refusals.

    `settings` are those of `document`, with absolute paths: relative ones are relative to the user's file.
    """
    paths: dict[str, Any] = {"cache_dir": str(settings.cache_folder)} if settings.cache_folder else {}
    if document.get("voices"):
        pairs = zip(document["voices"], settings.voices)
        paths["voices"] = [{**written, "model_path": voice.model_path} for written, voice in pairs]
    else:
        paths["model_path"] = settings.voices[0].model_path
    varied = {"workers": candidate.workers, "threads": candidate.threads, "bind": f"{HOST}:{port}"}
    unrefused = {"queue": bounds_of("admission.queue")[1], "wait_s": bounds_of("admission.wait_s")[1]}
    kept = {key: value for key, value in document.items() if key != "api_keys"}
    return {**kept, **paths, **varied, "admission": {**(document.get("admission") or {}), **unrefused}}


def server_memory(pid: int) -> ServerMemory:
    """Read the memory of a master and its workers; the children of a worker count as its own.

    Raises:
        OSError: the master has ended, or may not be read.
    """
    tree = memory_of_tree(pid)
    families = [[worker, *children_of(worker, recursive=True)] for worker in children_of(pid)]
    own_bytes = [sum(tree[each].uss_bytes for each in family if each in tree) for family in families]
    return ServerMemory(sum(each.pss_bytes for each in tree.values()), tuple(each for each in own_bytes if each))


def candidates_of(workers: Iterable[int], threads: Iterable[int]) -> tuple[Candidate, ...]:
    """Return every combination, the cheapest first."""
    threads = tuple(threads)
    return tuple(sorted(Candidate(each, served) for each in workers for served in threads))


def default_workers(cores: float) -> tuple[int, ...]:
    """Return the numbers of workers that are worth measuring on that many cores, within the configuration's bounds."""
    low, high = map(int, bounds_of("workers"))
    return tuple(sorted({max(low, min(math.ceil(each), high)) for each in (1, *(cores * share for share in _SHARES))}))


def baseline_first(candidates: Iterable[Candidate], cores: float) -> list[Candidate]:
    """Return candidates by their distance from the baseline: a worker a core, four threads each.

    The answer has to be the same the next time if several cannot be told apart, and the baseline is what a machine
    without a tuned configuration has.
    """
    workers = max(1, math.ceil(cores))

    def distance(each: Candidate) -> tuple[float, float, Candidate]:
        return abs(math.log(each.workers / workers)), abs(math.log(each.threads / _BASELINE_THREADS)), each

    return sorted(candidates, key=distance)


def parse_counts(written: str, key: str) -> tuple[int, ...]:
    """Parse numbers such as `1,2,4`, each within the bounds of a key of the configuration.

    Raises:
        BadQuantityError: one of them is no such number; the message says which and what is accepted.
    """
    low, high = map(int, bounds_of(key))
    counts = []
    for part in map(str.strip, written.split(",")):
        if not (part.isascii() and part.isdigit() and low <= int(part[:9]) <= high):
            raise BadQuantityError(f"{part[:60]!r} is none of the numbers {low} to {high}; several by commas: 2,4")
        counts.append(int(part))
    return tuple(sorted(set(counts)))
