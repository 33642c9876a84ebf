"""What slow clients cost honest ones, behind nginx: two hundred that send byte by byte, and nobody else in the other turn."""

import http.client
import itertools
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .edge import Place, UnixConnection, command, found_nginx, place_in, write_configuration
from .machine import usable_cores
from .processes import ROOT, Child, ChildFailedError, serving
from .report import Figure, Report, Target, figure, progress
from .servers import Server, ask_ours, ours
from .texts import SENTENCES
from .voices import embedded_voice, write_config

_SLOW = 200
_HONEST = 2
#: How often honest clients take all sentences, with slow ones and without in turn.
_TURNS = 3
#: Each slow client sends so often, a byte of its body or a line of its head; nginx gives up on heads after 10 s.
_DRIBBLE_S = 1.0
_SLOW_HEAD = "POST /v1/audio/speech HTTP/1.1\r\nHost: chorus\r\nX-Test-Address: 10.1.0.{number}\r\n"


@dataclass(frozen=True)
class Round:
    """Latencies of whole answers to honest clients, in seconds."""

    quiet_s: tuple[float, ...]
    attacked_s: tuple[float, ...]


def nginx(rounds: int, scratch: Path) -> Report:
    """Latency of honest clients behind nginx, beside 200 that send byte by byte."""
    if found_nginx() is None:
        raise ChildFailedError("there is no nginx; install Debian's package `nginx`")
    config_path = write_config(scratch, embedded_voice(scratch).model_path, usable_cores())
    measured = [_round(number, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"nginx with the files of ops/nginx; the embedded voice, a worker a core. {_HONEST} honest clients take {len(SENTENCES)} "
    f"sentences {_TURNS} times, whole files, closed loop; with slow clients and without in turn.",
    f"{_SLOW} slow clients from as many addresses: half never end their heads, half their bodies; who is hung up on comes again.",
)


def _round(number: int, config_path: Path, scratch: Path) -> Round:
    # Paths of sockets are short.
    with ExitStack() as stack:
        place = place_in(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-"))))
        stack.enter_context(pair(place, config_path, scratch))
        asked = _Honest(place)
        asked.all()
        quiet_s: list[float] = []
        attacked_s: list[float] = []
        for _turn in range(_TURNS):
            quiet_s += asked.all()
            with slow_clients(place):
                attacked_s += asked.all()
    measured = Round(tuple(quiet_s), tuple(attacked_s))
    progress(f"round {number}: p95 {_p95(measured.quiet_s):.3f} s alone, {_p95(measured.attacked_s):.3f} s beside slow clients")
    return measured


@contextmanager
def pair(place: Place, config_path: Path, scratch: Path) -> Iterator[Server]:
    """Run gunicorn on a unix socket, and nginx before it; yields the server as nginx shows it on its port."""
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "--bind", f"unix:{place.upstream}"]
    write_configuration(place)
    kind = ours(config_path)
    with serving(gunicorn, scratch / "ours.log", kind.environment) as child, _edge(place, scratch / "nginx.log"):
        server = Server(kind, child, place.port)
        server.await_ready()
        yield server


@contextmanager
def _edge(place: Place, log: Path) -> Iterator[Child]:
    with serving(command(place), log) as child:
        yield child


class _Honest:
    """Clients that send at once and read at once, every request from an address of its own, because of the limits."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._numbers = itertools.count()

    def all(self) -> list[float]:
        """Have all sentences spoken and return how long each took."""
        with ThreadPoolExecutor(_HONEST) as pool:
            return list(pool.map(self._speak, SENTENCES))

    def _speak(self, text: str) -> float:
        number, ask = next(self._numbers), ask_ours(text, seed=0)
        connection = UnixConnection(self._place.socket)
        began_s = time.perf_counter()
        try:
            connection.request(ask.method, ask.path, ask.body, {"X-Test-Address": f"10.2.{number // 250}.{number % 250}"})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise ChildFailedError(f"an honest client was answered with {answer.status}")
        return time.perf_counter() - began_s


@contextmanager
def slow_clients(place: Place) -> Iterator[None]:
    """Keep so many slow clients connected."""
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        dribbling = pool.submit(_dribble, place, is_over)
        try:
            yield
        finally:
            is_over.set()
        dribbling.result()


def _dribble(place: Place, is_over: threading.Event) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(_Slow(place, number)) for number in range(_SLOW)]
        while not is_over.wait(_DRIBBLE_S):
            for client in clients:
                client.send_a_little()


class _Slow:
    """A client that never ends its head, or its body."""

    def __init__(self, place: Place, number: int) -> None:
        self._place = place
        self._head = _SLOW_HEAD.format(number=number)
        self._has_body = bool(number % 2)

    def __enter__(self) -> "_Slow":
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._place.socket))
        self._socket.sendall((self._head + ("Content-Length: 9999\r\n\r\n" if self._has_body else "")).encode())
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def send_a_little(self) -> None:
        """Send what keeps it going, or come again where it was hung up on."""
        with suppress(OSError):
            self._socket.sendall(b"x" if self._has_body else b"X-More: y\r\n")
            return
        self._socket.close()
        self.__enter__()


def _p95(latencies_s: tuple[float, ...]) -> float:
    return statistics.quantiles(latencies_s, n=20)[-1]


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        figure("p50 alone", "s", rounds, lambda each: statistics.median(each.quiet_s)),
        figure("p50 beside slow clients", "s", rounds, lambda each: statistics.median(each.attacked_s)),
        figure("p95 alone", "s", rounds, lambda each: _p95(each.quiet_s)),
        figure("p95 beside slow clients", "s", rounds, lambda each: _p95(each.attacked_s)),
        figure("p95 beside slow clients / alone", "x", rounds,
               lambda each: _p95(each.attacked_s) / _p95(each.quiet_s), Target("<=", 1.2)),
    )  # fmt: skip
