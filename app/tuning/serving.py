"""The real server with a setting: gunicorn in a process group of its own, with a configuration written for it."""

import http.client
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from app.tuning.client import HOST
from app.tuning.memory import memory_of
from app.tuning.setting import Setting
from app.tuning.stand import HttpStand, Stand
from loader.config.settings import Settings
from loader.config.yaml import read_document
from loader.errors import LoaderError

_READY_S = 180.0
_POLL_S = 0.02
_GRACE_S = 10.0


class ServerFailedError(LoaderError):
    """The server under measurement ended, or never got ready; the message holds the end of its log."""

    exit_status = 70


@dataclass(frozen=True)
class Gunicorn:
    """How servers are started."""

    settings: Settings
    #: gunicorn.conf.py, beside the packages.
    process_model: Path
    #: Where configurations and logs are written, below which nothing else is.
    scratch: Path
    #: The processors the server may use; the clients use those of this process.
    processors: Sequence[int]

    @contextmanager
    def launch(self, setting: Setting) -> Iterator[Stand]:
        """Start a server, wait until it and all its workers are ready, and end it afterwards.

        Raises:
            ServerFailedError: it did not get ready.
        """
        port = free_port()
        config, log = self.scratch / "tts_config.yaml", self.scratch / "server.log"
        document = document_for(read_document(self.settings.path), self.settings, setting, port)
        config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        process = self._started(config, log)
        try:
            _await_ready(process, port, setting.workers, log)
            yield HttpStand(port, lambda: memory_of(process.pid), lambda: _check(process, log))
        finally:
            end_group(process, _GRACE_S)

    def _started(self, config: Path, log: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gunicorn", "--config", str(self.process_model)]
        environment = {**os.environ, "CHORUS_CONFIG": str(config)}
        with log.open("wb") as sink, _only_on(self.processors):
            # A session of its own: Ctrl-C is for the tuner, which then ends the server.
            return subprocess.Popen(
                command, cwd=self.process_model.parent, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            )  # fmt: skip


def processors_for(cores: float) -> list[int]:
    """Return which processors a server of so many cores may use."""
    return sorted(os.sched_getaffinity(0))[: math.ceil(cores)]


def document_for(document: dict[str, Any], settings: Settings, setting: Setting, port: int) -> dict[str, Any]:
    """Return the user's configuration with what is varied, on a port of its own, for whoever asks, and without refusals.

    `settings` is what `document` says, with absolute paths.
    """
    # Relative paths count from the user's file, and this one lies elsewhere.
    located: dict[str, Any] = {"cache_dir": str(settings.cache_folder)} if settings.cache_folder else {}
    if document.get("voices"):
        pairs = zip(document["voices"], settings.voices)
        located["voices"] = [{**written, "model_path": voice.model_path} for written, voice in pairs]
    else:
        located["model_path"] = settings.voices[0].model_path
    varied = {"workers": setting.workers, "threads": setting.threads, "bind": f"{HOST}:{port}"}
    patient = {**(document.get("admission") or {}), "queue": 1000, "wait_s": 3600.0}
    kept = {key: value for key, value in document.items() if key != "api_keys"}
    return {**kept, **located, **varied, "admission": patient}


@contextmanager
def _only_on(processors: Sequence[int]) -> Iterator[None]:
    """Let what is started meanwhile run on these processors: affinity is this thread's, and is inherited."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _await_ready(process: subprocess.Popen[bytes], port: int, workers: int, log: Path) -> None:
    def is_ready() -> bool:
        return _answers(port) and len(psutil.Process(process.pid).children()) >= workers

    _await(is_ready, process, log)


def _await(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _READY_S
    while time.monotonic() < deadline_s:
        _check(process, log)
        if true():
            return
        time.sleep(_POLL_S)
    raise _failure(f"the server did not get ready within {_READY_S:g} s", log)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _check(process: subprocess.Popen[bytes], log: Path) -> None:
    status = process.poll()
    if status is not None:
        raise _failure(f"the server ended with status {status}", log)


def _failure(what: str, log: Path) -> ServerFailedError:
    end = log.read_text(encoding="utf-8", errors="replace")[-1500:]
    return ServerFailedError(f"{what}; the end of its log:\n{end}")


def end_group(process: subprocess.Popen[Any], grace_s: float) -> None:
    """End a process that leads a group of its own, gently for that long, and whatever of its group survives it."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    finally:
        # Workers share the group of their master and may have survived it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
