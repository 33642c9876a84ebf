"""A real gunicorn for tests, and the checks at the end of a test."""

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Answer:
    """One HTTP response, read completely."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """One gunicorn master and its workers, started from the checkout with their own configuration.

    `stop` is the last assertion of a test: every worker that ended was expected to, no traceback was logged, and no process,
    descriptor or file is left.
    """

    config: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    preexec: Callable[[], None] | None = None
    python: str | Path = sys.executable
    #: Workers that the test itself ends.
    expected_deaths: int = 0
    #: Errors that the test itself provokes in the log.
    expects_errors: bool = False

    def start(self) -> "Server":
        self._log_file = tempfile.TemporaryFile("w+b")
        self._shared_before = set(os.listdir("/dev/shm"))
        environment = {**os.environ, "CHORUS_CONFIG": str(self.config), **self.environment}
        words = [str(self.python), "-m", "gunicorn", "-c", "gunicorn.conf.py", *self._bind(), *self.arguments]
        self.process = subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=self._log_file, stderr=self._log_file, preexec_fn=self.preexec
        )
        self.master = psutil.Process(self.process.pid)
        return self

    def ready(self) -> "Server":
        """Wait for the first 200 of /readyz and for all workers."""
        self.eventually(lambda: _LISTENING.search(self.log()) or self._dead())
        self.eventually(lambda: self._dead() or (self._answers() and len(self.workers()) == self._wanted()))
        assert self.process.poll() is None, self.log()
        self.remember_descriptors()
        return self

    def remember_descriptors(self) -> None:
        """Record the open descriptors of an idle worker, the maximum at the end."""
        self._descriptors = max(worker.num_fds() for worker in self.workers())

    @property
    def port(self) -> int:
        return int(_LISTENING.findall(self.log())[-1])

    def log(self) -> str:
        size = os.fstat(self._log_file.fileno()).st_size
        return os.pread(self._log_file.fileno(), size, 0).decode()

    def workers(self) -> list[psutil.Process]:
        """Return the workers; the process that prepares a revision is a child of the master too."""
        return [child for child in self.master.children() if _is_alive(child) and not _is_preparing(child)]

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request; a dict is sent as JSON."""
        content = json.dumps(body) if isinstance(body, dict) else body
        connection = self.connection()
        try:
            connection.request(method, path, content, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def speak(self, text: str, **fields: Any) -> Answer:
        return self.ask("POST", "/v1/audio/speech", {"model": "tts-1", "input": text, "response_format": "wav", **fields})

    def worker_of(self, answer: Answer) -> int:
        """Return the pid of the worker that logged the request of this response."""
        request_id = re.escape(answer.headers["X-Request-ID"])
        return int(re.search(rf"pid=(\d+) .*request_id={request_id}\b", self.log())[1])

    def on_every_worker(self, ask: Callable[[], Answer], most: int = 400) -> dict[int, Answer]:
        """Repeat a request until every worker has answered one; the kernel chooses the worker."""
        answers: dict[int, Answer] = {}
        for _ in range(most):
            answer = ask()
            answers.setdefault(self.worker_of(answer), answer)
            if set(answers) >= {worker.pid for worker in self.workers()}:
                return answers
        raise AssertionError(f"after {most} requests only {sorted(answers)} of {self.workers()} answered")

    def eventually(self, predicate: Callable[[], Any], within_s: float = 120) -> Any:
        """Wait for the predicate, and return its first true value."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            if found := predicate():
                return found
            select.select([], [], [], 0.01)
        raise AssertionError(f"did not come true within {within_s} s; the log says:\n{self.log()}")

    def check(self) -> None:
        """Assert that no error has happened so far, and that no worker has leaked a descriptor."""
        log = self.log()
        deaths = len(re.findall(r"was sent SIG|exited with code|Worker failed|WORKER TIMEOUT", log))
        assert deaths == self.expected_deaths, log
        assert self.expects_errors or not re.search(r"Traceback|CRITICAL|level=ERROR", _without_deaths(log)), log
        if self.process.poll() is None:
            self.eventually(lambda: max((w.num_fds() for w in self.workers()), default=0) <= self._descriptors)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server, and check that it leaves nothing behind."""
        family = [self.master, *self.workers()] if self.process.poll() is None else []
        self.check()
        if family:
            self.process.send_signal(how)
        status = self.process.wait(timeout=60)
        self.check()
        assert status == 0, self.log()
        self.close()
        left = [process for process in family if process.is_running()]
        assert not left, left
        assert set(os.listdir("/dev/shm")) <= self._shared_before

    def close(self) -> None:
        """Close the log of a server that has ended."""
        self._log_file.close()

    def _bind(self) -> tuple[str, ...]:
        return ("--bind", "127.0.0.1:0") if "--bind" not in self.arguments else ()

    def _wanted(self) -> int:
        return int(self.arguments[self.arguments.index("--workers") + 1]) if "--workers" in self.arguments else 2

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def _dead(self) -> bool:
        return self.process.poll() is not None


def _is_preparing(process: psutil.Process) -> bool:
    try:
        return "app.rollout.preparation" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False  # it ended after it was listed


def _without_deaths(log: str) -> str:
    """Remove gunicorn's ERROR lines about killed workers, which `check` counts separately."""
    return "\n".join(line for line in log.splitlines() if not re.search(r"was sent SIG|exited with code", line))
