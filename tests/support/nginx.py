"""A real nginx in front of a real gunicorn, with the files of ops/nginx, and the checks at the end of a test."""

import contextlib
import http.client
import json
import re
import select
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.tuning.server import connection_to
from ops.benchmarks.nginx import Place, command, find_nginx, write_configuration
from tests.support.harness import Answer, Server

needs_nginx = pytest.mark.skipif(find_nginx() is None, reason="there is no nginx; Debian's package is `nginx`")


@dataclass
class Origin(Server):
    """A gunicorn on a Unix socket, which tests can also ask directly."""

    #: Path of its socket.
    path: Path = Path()

    def ready(self) -> "Origin":
        self.eventually(lambda: self._dead() or (self._answers() and len(self.workers()) == self._wanted()))
        assert self.process.poll() is None, self.log()
        self.remember_descriptors()
        return self

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        return connection_to(self.path, timeout_s)

    def _bind(self) -> tuple[str, ...]:
        return ("--bind", f"unix:{self.path}")


@dataclass
class Edge:
    """One nginx master and its workers. `stop` asserts that no alert was logged and that no process is left."""

    #: The folder of its `Place`.
    folder: Path
    #: Whether to include the example of HTTPS.
    tls: bool = False
    #: An origin that is listed in the shipped map of origins.
    origin: str = ""

    def __post_init__(self) -> None:
        self.place = Place(self.folder)
        self.port = self.place.port
        self.cache = self.folder / "cache"

    def start(self) -> "Edge":
        write_configuration(self.place, self.tls)
        if self.origin:
            written = self.folder / "chorus.conf"
            listed = written.read_text().replace('# "https://app.example.com"', f'"{self.origin}"')
            written.write_text(listed)
        self.process = subprocess.Popen(command(self.place), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.master = psutil.Process(self.process.pid)
        self._await_listening()
        return self

    def _await_listening(self) -> None:
        while self.process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            select.select([], [], [], 0.01)
        raise AssertionError(self.errors())

    def workers(self) -> list[psutil.Process]:
        return self.master.children()

    def errors(self) -> str:
        """Return nginx's own log and its log of requests that failed."""
        logs = [self.folder / name for name in ("error.log", "chorus-errors.log")]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def access(self) -> list[dict[str, str]]:
        """Return the access log: the pairs of each line, and `request`, the method and path."""
        lines = (self.folder / "access.log").read_text(errors="replace").splitlines()
        return [
            {"request": re.search('"(.*)"', line)[1], **dict(re.findall(r"(\w+)=(\S*(?:, \S+)*)", line))} for line in lines
        ]

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, address: str | None = None
    ) -> Answer:
        """Send one request, a dict as JSON; from `address`, if given."""
        content = json.dumps(body) if isinstance(body, dict) else body
        connection = connection_to(self.place.socket, 60) if address else self.connection()
        try:
            posing = {"X-Test-Address": address} if address else {}
            connection.request(method, path, content, {**posing, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def speak(self, text: str, address: str | None = None, **fields: Any) -> Answer:
        body = {"input": text, "response_format": "wav", **fields}
        return self.ask("POST", "/v1/audio/speech", body, address=address)

    def check(self) -> None:
        alarming = [line for line in self.errors().splitlines() if re.search(r"\[(alert|emerg|crit)\]", line)]
        assert not alarming, alarming

    def stop(self) -> None:
        family = [self.master, *self.workers()]
        self.process.send_signal(signal.SIGQUIT)
        status = self.process.wait(timeout=60)
        self.check()
        assert status == 0, self.errors()
        assert not [process for process in family if process.is_running()]
