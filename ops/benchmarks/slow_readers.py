"""What readers of 1 kB/s cost honest clients: twenty take a long stream, in turn with none, without nginx and behind it."""

import http.client
import itertools
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.scoreboard.board import Scoreboard

from .edge import Place, UnixConnection, found_nginx, place_in
from .machine import usable_cores
from .nginx import pair
from .processes import ChildFailedError
from .report import Figure, Report, Target, figure, progress
from .servers import HOST, ask_ours, ours, started
from .texts import SENTENCES
from .voices import embedded_voice, write_config

#: How many read how fast, and the longest text they may send is 20,000 characters.
READERS, RATE_BYTES_A_S, TEXT_CHARACTERS = 20, 1000, 18_000
_HONEST = 2
#: How often honest clients take all sentences in a round, with slow readers and without in turn.
_TURNS = 3
#: What a reader's kernel takes before it is read; it doubles this.
_KERNEL_BYTES = 2048
_TICK_S = 0.25
#: Slow readers that begin at the same time.
_AT_A_TIME = 4
#: How long it may take until the server waits for each of these.
_SETTLED_S = 120.0
#: Behind nginx, which allows one address 16 connections, each reader has its own.
_HEAD = (
    "POST /v1/audio/speech HTTP/1.1\r\nHost: chorus.test\r\nX-Test-Address: 10.3.0.{number}\r\nContent-Type: application/json\r\n"
    "Content-Length: {size}\r\n\r\n"
)

_Connect = Callable[[], socket.socket]


def long_text() -> str:
    """Return a text of 18 kB: some 20 minutes of audio."""
    sentences = itertools.cycle(SENTENCES)
    text = ""
    while len(text) < TEXT_CHARACTERS:
        text += next(sentences) + " "
    return text[:TEXT_CHARACTERS].rsplit(" ", 1)[0]


class Reader:
    """A client that reads a bounded number of bytes a second."""

    def __init__(self, connected: socket.socket, rate_bytes_s: float = RATE_BYTES_A_S) -> None:
        """Read from a connection on which the request is sent."""
        self._connected = connected
        self._rate_bytes_s = rate_bytes_s
        self._since_s: float | None = None
        #: All that came, head and chunks included.
        self.raw = bytearray()
        #: Whether the server ended the connection, in whatever way.
        self.has_ended = False

    def read_a_little(self, now_s: float) -> None:
        """Read what it may have read by `now_s` and has not, without waiting."""
        if self.has_ended:
            return
        if self._since_s is None:
            self._since_s = now_s
        may_bytes = int(self._rate_bytes_s * (1 + now_s - self._since_s)) - len(self.raw)
        try:
            while may_bytes > 0:
                piece = self._connected.recv(min(may_bytes, 65_536), socket.MSG_DONTWAIT)
                if not piece:
                    self.has_ended = True
                    return
                self.raw += piece
                may_bytes -= len(piece)
        except BlockingIOError:
            return
        except ConnectionError:
            self.has_ended = True

    def body(self) -> bytes:
        """Return what came of the body, whether in chunks or not."""
        head, _, rest = bytes(self.raw).partition(b"\r\n\r\n")
        return b"".join(_chunks(rest)) if b"transfer-encoding: chunked" in head.lower() else rest

    def status(self) -> int:
        """Return the answer's status; 0 if none came yet."""
        return int(self.raw[9:12] or 0)

    def close(self) -> None:
        """Leave."""
        self._connected.close()


def _chunks(rest: bytes) -> Iterator[bytes]:
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        size_bytes = int(size, 16)
        yield rest[:size_bytes]
        rest = rest[size_bytes + 2 :]


class Readers:
    """Clients that read slowly, all in one thread, until this is left."""

    def __init__(self) -> None:
        """Begin with none."""
        self._readers: list[Reader] = []
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()
        for reader in self._readers:
            reader.close()

    def add(self, connect: _Connect, fields: Mapping[str, object], rate_bytes_s: float = RATE_BYTES_A_S) -> Reader:
        """Send one more request, with such a body, and read its answer slowly."""
        content = json.dumps(fields)
        connected = connect()
        connected.sendall((_HEAD.format(number=len(self._readers), size=len(content)) + content).encode())
        reader = Reader(connected, rate_bytes_s)
        with self._lock:
            self._readers.append(reader)
        return reader

    def remove(self, reader: Reader) -> None:
        """Have one of them leave."""
        with self._lock:
            self._readers.remove(reader)
        reader.close()

    def _read(self) -> None:
        while not self._is_over.wait(_TICK_S):
            with self._lock:
                for reader in self._readers:
                    reader.read_a_little(time.monotonic())


def over_tcp(port: int) -> _Connect:
    """Return how to connect to a port of this machine, with a small buffer."""

    def connect() -> socket.socket:
        connected = socket.socket()
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BYTES)
        connected.connect((HOST, port))
        return connected

    return connect


def over_unix(path: Path) -> _Connect:
    """Return how to connect to a unix socket."""

    def connect() -> socket.socket:
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(str(path))
        return connected

    return connect


@dataclass(frozen=True)
class Latencies:
    """Of whole answers to honest clients, in seconds."""

    alone_s: tuple[float, ...]
    beside_s: tuple[float, ...]


#: By whether nginx is before the server.
_Round = Mapping[bool, Latencies]


def slow_readers(rounds: int, scratch: Path) -> Report:
    """Latency of honest clients beside 20 that read a long stream at 1 kB/s, without nginx and behind it."""
    if found_nginx() is None:
        raise ChildFailedError("there is no nginx; install Debian's package `nginx`")
    config_path = write_config(scratch, embedded_voice(scratch).model_path, usable_cores())
    measured = [_round(number, config_path, scratch) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _NOTES)


_NOTES = (
    f"The embedded voice, a worker a core, all else by default. {_HONEST} honest clients take {len(SENTENCES)} sentences "
    f"{_TURNS} times, whole files, closed loop; with slow readers and without in turn, without nginx and behind it.",
    f"{READERS} slow readers take a stream of {TEXT_CHARACTERS} characters at {RATE_BYTES_A_S} bytes a second, with small "
    "buffers. The clock starts when the server waits for each of them without a turn.",
)


def _round(number: int, config_path: Path, scratch: Path) -> _Round:
    found = {}
    for is_behind in (False, True):
        with _server(is_behind, config_path, scratch) as (board, asked, connect):
            found[is_behind] = _latencies(board, asked, connect)
    progress(
        f"round {number}: " + ", ".join(
            f"p95 {_p95(each.alone_s):.3f} s alone, {_p95(each.beside_s):.3f} s beside slow readers" for each in found.values()
        )
    )  # fmt: skip
    return found


_Ask = Callable[[str], float]


@contextmanager
def _server(is_behind: bool, config_path: Path, scratch: Path) -> Iterator[tuple[Scoreboard, _Ask, _Connect]]:
    """Run a server; yields its board, how an honest client asks it, and how a slow one connects."""
    with ExitStack() as stack:
        if not is_behind:
            server = stack.enter_context(started(ours(config_path), scratch / "ours.log"))
            server.await_ready()
            yield server.board(), _honest(lambda: http.client.HTTPConnection(HOST, server.port)), over_tcp(server.port)
            return
        # Paths of sockets are short.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-")))
        place: Place = place_in(folder)
        behind = stack.enter_context(pair(place, config_path, scratch))
        yield behind.board(), _honest(lambda: UnixConnection(place.socket)), over_unix(place.socket)


def _honest(connection: Callable[[], http.client.HTTPConnection]) -> _Ask:
    numbers = itertools.count()

    def ask(text: str) -> float:
        number, wanted = next(numbers), ask_ours(text, seed=0)
        asked = connection()
        began_s = time.perf_counter()
        try:
            asked.request(wanted.method, wanted.path, wanted.body, {"X-Test-Address": f"10.2.{number // 250}.{number % 250}"})
            answer = asked.getresponse()
            answer.read()
        finally:
            asked.close()
        if answer.status != http.HTTPStatus.OK:
            raise ChildFailedError(f"an honest client was answered with {answer.status}")
        return time.perf_counter() - began_s

    return ask


def _latencies(board: Scoreboard, ask: _Ask, connect: _Connect) -> Latencies:
    def all_sentences() -> list[float]:
        with ThreadPoolExecutor(_HONEST) as pool:
            return list(pool.map(ask, SENTENCES))

    all_sentences()
    alone_s: list[float] = []
    beside_s: list[float] = []
    for _turn in range(_TURNS):
        alone_s += all_sentences()
        with Readers() as readers:
            for number in range(READERS):
                readers.add(connect, {"input": long_text(), "response_format": "wav", "stream": True, "seed": number})
                # Few at a time, so that none waits too long for its turn on a busy machine.
                _await_parked(board, number + 1 - _AT_A_TIME)
            _await_parked(board, READERS)
            beside_s += all_sentences()
        _await_left(board)
    return Latencies(tuple(alone_s), tuple(beside_s))


def _await_parked(board: Scoreboard, number: int) -> None:
    _await(lambda: int(board.rows["parked"].sum()) >= number, f"{number} slow readers are parked")


def _await_left(board: Scoreboard) -> None:
    _await(lambda: not board.rows["parked"].sum() and not board.rows["active"].sum(), "all slow readers have left")


def _await(is_so: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + _SETTLED_S
    while not is_so():
        if time.monotonic() > until_s:
            raise ChildFailedError(f"after {_SETTLED_S:g} s it is still not so that {what}")
        time.sleep(_TICK_S)


def _p95(latencies_s: Sequence[float]) -> float:
    return statistics.quantiles(latencies_s, n=20)[-1]


def _figures(rounds: Sequence[_Round]) -> tuple[Figure, ...]:
    return tuple(each for is_behind in (False, True) for each in _figures_of([one[is_behind] for one in rounds], is_behind))


def _figures_of(rounds: Sequence[Latencies], is_behind: bool) -> Iterator[Figure]:
    where = "behind nginx" if is_behind else "without nginx"
    yield figure(f"{where}: p50 alone", "s", rounds, lambda each: statistics.median(each.alone_s))
    yield figure(f"{where}: p50 beside slow readers", "s", rounds, lambda each: statistics.median(each.beside_s))
    yield figure(f"{where}: p95 alone", "s", rounds, lambda each: _p95(each.alone_s))
    yield figure(f"{where}: p95 beside slow readers", "s", rounds, lambda each: _p95(each.beside_s))
    yield figure(
        f"{where}: p95 beside slow readers / alone", "x", rounds, lambda each: _p95(each.beside_s) / _p95(each.alone_s),
        Target("<=", 1.3),
    )  # fmt: skip
