"""The server of a candidate: the configured one with other workers and threads, its load and its memory."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.system.processes import children_of, memory_of_tree
from app.tuning.loadgen import Arrival, Request, Result, closed_loop, open_loop
from app.tuning.plan import Candidate
from app.tuning.server import HOST, Address, free_port, launch_chorus
from loader.config.settings import Settings, bounds_of
from loader.config.yaml import read_document


@dataclass(frozen=True)
class ServerMemory:
    """Memory of a master and its workers at one moment."""

    #: Of all together: what ending the server would free.
    pss_bytes: int
    #: Of each worker and its children: pages that no other process maps.
    worker_uss_bytes: tuple[int, ...]

    @property
    def shared_bytes(self) -> int:
        """Memory that does not depend on the number of workers."""
        return max(0, self.pss_bytes - sum(self.worker_uss_bytes))


@dataclass(frozen=True)
class CandidateServer:
    """A running server. Each load raises what `check` raises if the server has ended, which looks like many lost requests."""

    address: Address
    memory: Callable[[], ServerMemory]
    check: Callable[[], None] = lambda: None

    def open_loop(self, arrivals: Sequence[Arrival], drain_s: float) -> list[Result]:
        """See `app.tuning.loadgen.open_loop`."""
        results = open_loop(self.address, arrivals, drain_s)
        self.check()
        return results

    def closed_loop(self, requests: Iterator[Request], clients: int, for_s: float, drain_s: float) -> list[Result]:
        """See `app.tuning.loadgen.closed_loop`."""
        results = closed_loop(self.address, requests, clients, for_s, drain_s)
        self.check()
        return results


#: Starts the server of a candidate; it is ready inside the context and gone after it.
Launch = Callable[[Candidate], AbstractContextManager[CandidateServer]]


def candidate_launcher(settings: Settings, scratch: Path, cores: int) -> Launch:
    """Return how candidates of the configured server start, on the first `cores` processors of this process."""
    processors = sorted(os.sched_getaffinity(0))[:cores]

    @contextmanager
    def launch(candidate: Candidate) -> Iterator[CandidateServer]:
        config, port = scratch / "tts_config.yaml", free_port()
        document = document_for(read_document(settings.path), settings, candidate, port)
        config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        with launch_chorus(config, scratch / "server.log", address=(HOST, port), processors=processors) as server:
            server.wait_ready(workers=candidate.workers)
            yield CandidateServer(server.address, lambda: server_memory(server.pid), server.check)

    return launch


def document_for(document: Mapping[str, Any], settings: Settings, candidate: Candidate, port: int) -> dict[str, Any]:
    """Return the user's configuration for a candidate, on a port of its own, without API keys and without refusals.

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
