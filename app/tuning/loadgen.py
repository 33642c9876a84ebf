"""Load generator: an open loop (requests at a rate) and a closed loop (N clients), each request timed from when it was due.

Clients that wait for an answer before they send the next request make a slow server look good: it gets no
requests while it is slow. An open loop sends a request at its time whether or not earlier ones were answered,
and latency counts from that time, not from when this process sent it.
"""

import http.client
import itertools
import math
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from app.tuning.server import Address, connection_to

#: Outcomes of a request.
ANSWERED = "answered"
#: 503 or 429.
REFUSED = "refused"
#: Any other status but 200.
ERROR = "error"
#: The answer ended before it was complete, or held no audio.
CUT = "cut"
#: No connection, or no HTTP.
UNREACHABLE = "unreachable"
#: Not answered in time; the client disconnected.
LATE = "late"

#: What comes before the first sample of a WAV file; no format has audio in less.
_HEADER_BYTES = 44
_CHUNK_BYTES = 65_536
#: How often requests are checked for their timeout.
_CHECK_S = 0.1


@dataclass(frozen=True)
class Request:
    """One HTTP request that is answered with audio."""

    path: str
    body: bytes | None = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    #: The length of its text, which the work depends on.
    characters: int = 0


@dataclass(frozen=True)
class Arrival:
    """A request and when it is due, in seconds since the loop began."""

    due_s: float
    request: Request


@dataclass(frozen=True)
class Result:
    """Outcome and times of one request."""

    request: Request = field(repr=False)
    #: When it was due and when it was sent, in seconds since the loop began.
    due_s: float
    sent_s: float
    outcome: str
    status: int | None = None
    #: From when it was due to the first audio and to the last byte; None if that never came.
    ttfa_s: float | None = None
    total_s: float | None = None
    #: The length of a WAV answer; 0 if it is none.
    audio_s: float = 0.0
    body_bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The answer's body, if it was to be kept.
    body: bytes = field(default=b"", repr=False)

    @property
    def ended_s(self) -> float:
        """When its last byte came, in seconds since the loop began; infinite if it never did."""
        return math.inf if self.total_s is None else self.due_s + self.total_s

    @property
    def service_s(self) -> float:
        """From when it was sent to its last byte; infinite if that never came."""
        return self.ended_s - self.sent_s

    def latency_s(self, measure: str) -> float:
        """Return `first_audio` or `total`, from when it was due; infinite if it never came, or the answer was not complete."""
        latency_s = self.ttfa_s if measure == "first_audio" else self.total_s
        # The first audio of a request that was late in total may have been in time.
        counts = self.outcome == ANSWERED or (self.outcome == LATE and measure == "first_audio")
        return latency_s if counts and latency_s is not None else math.inf


def poisson(requests: Iterator[Request], rate_hz: float, for_s: float, seed: int) -> list[Arrival]:
    """Draw the arrivals of `for_s` seconds. The same seed draws the same gaps, stretched to the rate."""
    draw = random.Random(seed)
    due_s = itertools.accumulate(draw.expovariate(1.0) / rate_hz for _ in itertools.count())
    return [Arrival(each, next(requests)) for each in itertools.takewhile(lambda each: each < for_s, due_s)]


def send(address: Address, request: Request, keep_body: bool = False) -> Result:
    """Send one request in this thread and read its answer, however long that takes. A failure of the server is an outcome."""
    started_s = time.monotonic()
    return _Call(address, request, 0.0, lambda: time.monotonic() - started_s, keep_body).run()


def open_loop(address: Address, arrivals: Iterable[Arrival], drain_s: float, timeout_s: float = math.inf) -> list[Result]:
    """Send each request when it is due, each from a thread; return the results in the order of `due_s`.

    A request that is not answered `timeout_s` after it was due, or `drain_s` after the last arrival, is disconnected: late.
    """
    loop = _Loop(address, timeout_s)
    try:
        for arrival in arrivals:
            loop.wait_until(arrival.due_s)
            loop.start(partial(loop.send, arrival.request, arrival.due_s))
        loop.join(drain_s)
    finally:
        loop.stop()
    return loop.results


def closed_loop(
    address: Address,
    requests: Iterator[Request],
    clients: int,
    for_s: float = math.inf,
    drain_s: float = 600.0,
    pause_s: float = 0.0,
    keep_bodies: bool = False,
) -> list[Result]:
    """Keep N clients busy until `for_s` is over or `requests` ends; return the results in the order of `due_s`.

    A client that is refused waits for `pause_s`; one that cannot connect ends. Requests in flight after
    `for_s` are disconnected after `drain_s`.
    """
    loop, drawing = _Loop(address, keep_bodies=keep_bodies), threading.Lock()

    def run_client() -> None:
        while loop.now_s() < for_s and not loop.stopped.is_set():
            with drawing:
                request = next(requests, None)
            if request is None:
                return
            result = loop.send(request, loop.now_s())
            if result.outcome == UNREACHABLE:
                return
            if result.outcome == REFUSED:
                loop.stopped.wait(min(pause_s, max(0.0, for_s - loop.now_s())))

    try:
        for _ in range(clients):
            loop.start(run_client)
        loop.join(for_s + drain_s)
    finally:
        loop.stop()
    return loop.results


class _Loop:
    """The calls of one loop, and their threads."""

    def __init__(self, address: Address, timeout_s: float = math.inf, keep_bodies: bool = False) -> None:
        self._address, self._timeout_s, self._keep_bodies = address, timeout_s, keep_bodies
        self._started_s, self._lock = time.monotonic(), threading.Lock()
        #: Each with the time at which it is cancelled.
        self._open: dict[_Call, float] = {}
        self._threads: list[threading.Thread] = []
        self._results: list[Result] = []
        self.stopped = threading.Event()

    @property
    def results(self) -> list[Result]:
        with self._lock:
            return sorted(self._results, key=lambda each: each.due_s)

    def now_s(self) -> float:
        return time.monotonic() - self._started_s

    def wait_until(self, due_s: float) -> None:
        while (left_s := due_s - self.now_s()) > 0 and not self.stopped.wait(min(left_s, _CHECK_S)):
            self._cancel(self.now_s())

    def start(self, work: Callable[[], object]) -> None:
        # An interrupted process does not wait for a daemon.
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def send(self, request: Request, due_s: float) -> Result:
        call = _Call(self._address, request, due_s, self.now_s, self._keep_bodies)
        with self._lock:
            self._open[call] = due_s + self._timeout_s
        result = call.run()
        with self._lock:
            del self._open[call]
            self._results.append(result)
        return result

    def join(self, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            while thread.is_alive() and (left_s := deadline_s - time.monotonic()) > 0:
                thread.join(min(left_s, _CHECK_S))
                self._cancel(self.now_s())

    def stop(self) -> None:
        self.stopped.set()
        self._cancel(math.inf)
        for thread in self._threads:
            thread.join(5.0)

    def _cancel(self, due_by_s: float) -> None:
        with self._lock:
            late = [call for call, until_s in self._open.items() if until_s <= due_by_s]
        for call in late:
            call.cancel()


class _Call:
    """One request in the thread that calls `run`. `cancel` may be called from any thread, at any time."""

    def __init__(self, address: Address, request: Request, due_s: float, clock: Callable[[], float], keep_body: bool) -> None:
        self._request, self._due_s, self._clock, self._keep_body = request, due_s, clock, keep_body
        self._connection = connection_to(address, 600.0)
        # Kept here: http.client forgets it as soon as an answer says that it is the connection's last.
        self._socket: socket.socket | None = None
        self._cancelled = threading.Event()
        self._sent_s = clock()
        self._first_audio_s: float | None = None
        self._status: int | None = None
        self._headers: dict[str, str] = {}
        self._body, self._body_bytes = bytearray(), 0

    def run(self) -> Result:
        self._sent_s = self._clock()
        try:
            return self._result(self._exchange())
        except http.client.IncompleteRead:
            return self._result(CUT)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            # The last two come from http.client if `cancel` closed its socket.
            return self._result(CUT if self._status == 200 else UNREACHABLE)
        finally:
            self._connection.close()

    def cancel(self) -> None:
        """Disconnect: `run` ends at once, as late unless it has ended already."""
        self._cancelled.set()
        if self._socket is not None:
            with suppress(OSError):
                # Closing alone would not wake a thread that waits in recv.
                self._socket.shutdown(socket.SHUT_RDWR)

    def _exchange(self) -> str:
        self._connection.connect()
        self._socket = self._connection.sock
        if self._cancelled.is_set():
            return LATE
        self._connection.request(self._request.method, self._request.path, self._request.body, dict(self._request.headers))
        response = self._connection.getresponse()
        self._status, self._headers = response.status, dict(response.getheaders())
        while chunk := response.read1(_CHUNK_BYTES):
            self._body_bytes += len(chunk)
            if self._keep_body or len(self._body) < _HEADER_BYTES:
                self._body += chunk
            if self._first_audio_s is None and self._body_bytes > _HEADER_BYTES:
                self._first_audio_s = self._clock()
        if response.status == 200:
            # `read1` ends without an error before a declared length is reached.
            return ANSWERED if self._first_audio_s is not None and not response.length else CUT
        return REFUSED if response.status in (429, 503) else ERROR

    def _result(self, outcome: str) -> Result:
        outcome = LATE if self._cancelled.is_set() and outcome != ANSWERED else outcome
        never = outcome in (LATE, UNREACHABLE)
        return Result(
            self._request, self._due_s, self._sent_s, outcome, self._status,
            None if self._first_audio_s is None else self._first_audio_s - self._due_s,
            None if never else self._clock() - self._due_s,
            _wav_s(self._body, self._body_bytes), self._body_bytes, self._headers,
            bytes(self._body) if self._keep_body else b"",
        )  # fmt: skip


def _wav_s(head: bytes | bytearray, body_bytes: int) -> float:
    """Return how long the samples of a WAV file last, by the bytes that came: a stream's header does not know its length."""
    if len(head) < _HEADER_BYTES or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return 0.0
    (bytes_per_s,) = struct.unpack_from("<I", head, 28)
    return (body_bytes - _HEADER_BYTES) / bytes_per_s if bytes_per_s else 0.0
