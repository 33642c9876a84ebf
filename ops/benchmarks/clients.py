"""Clients with a timing of their own: one that times arriving audio, and slow ones that read or send little by little."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.tuning.loadgen import Request
from app.tuning.server import HOST, Address, ServerFailedError

#: How long a server may send nothing.
_ANSWER_S = 600.0
#: Of a WAV file or a stream of one, before the first sample.
_HEADER_BYTES = 44
#: A small piece arrives before a large one is complete; most windows are larger.
_PIECE_BYTES = 4096
#: What follows within this was sent together: the pause after a sentence is sent with the sentence's end.
_TOGETHER_S = 0.001

#: How many slow readers there are, and how fast they read.
READERS, READ_BYTES_S = 20, 1000
#: Receive buffer of a slow reader; the kernel doubles it.
_SLOW_BUFFER_BYTES = 2048
_READ_EVERY_S = 0.25
_SLOW_REQUEST = (
    "POST /v1/audio/speech HTTP/1.1\r\nHost: chorus.test\r\nX-Test-Address: 10.3.0.{number}\r\nContent-Type: application/json\r\n"
    "Content-Length: {size}\r\n\r\n"
)

SENDERS = 200
#: Each slow sender sends a byte of its body or a line of its head this often; nginx gives up on heads after 10 s.
_SEND_EVERY_S = 1.0
_SLOW_HEAD = "POST /v1/audio/speech HTTP/1.1\r\nHost: chorus\r\nX-Test-Address: 10.1.0.{number}\r\n"


@dataclass(frozen=True)
class Delivery:
    """Audio that was sent together: a chunk of a streamed answer, a piece of a whole one."""

    #: From just before connecting to the first byte of audio, and to the last.
    first_byte_s: float
    complete_s: float
    #: Play time.
    audio_s: float


@dataclass(frozen=True)
class Playback:
    """What a listener hears who plays in real time from the first byte."""

    #: How often all audio had been played before more arrived.
    underruns: int
    longest_stall_s: float
    #: The smallest amount of audio in hand when more arrived; below 0 is a stall, infinite for a single delivery.
    least_reserve_s: float


def deliveries(
    port: int, request: Request, now: Callable[[], float] = time.perf_counter, buffer_bytes: int | None = None
) -> Iterator[Delivery]:
    """Yield audio as it arrives; nothing is read ahead, so a slow consumer slows the server down.

    Args:
        port: of a server on this machine.
        request: one that is answered with a WAV file of 16 bits and one channel.
        now: a clock, in seconds.
        buffer_bytes: the kernel's receive buffer; None leaves it to the kernel, where it may hold minutes of audio.

    Raises:
        ServerFailedError: the answer is an error, no WAV file, or cut short.
    """
    started_s = now()
    with closing(http.client.HTTPConnection(HOST, port, timeout=_ANSWER_S)) as connection:
        try:
            connection.sock = connect((HOST, port), buffer_bytes)
            connection.request(request.method, request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                raise ServerFailedError(f"{request.path[:60]} was answered with {response.status}: {response.read(200)!r}")
            header = response.read(_HEADER_BYTES)
            if header[:4] != b"RIFF" or header[36:40] != b"data":
                raise ServerFailedError(f"{request.path[:60]} was answered with no WAV header: {header!r}")
            bytes_per_s = int.from_bytes(header[28:32], "little")
            first_s, size = None, 0
            while piece := response.read1(_PIECE_BYTES):
                piece_s = now() - started_s
                first_s, size = piece_s if first_s is None else first_s, size + len(piece)
                # A chunk whose end has not been read yet goes on.
                if not response.chunked or not response.chunk_left:
                    yield Delivery(first_s, piece_s, size / bytes_per_s)
                    first_s, size = None, 0
        except (OSError, http.client.HTTPException) as error:
            raise ServerFailedError(f"{request.path[:60]}: {type(error).__name__}: {error}") from error
        if response.length:
            raise ServerFailedError(f"{request.path[:60]}: {response.length} bytes are missing")


def playback(delivered: Sequence[Delivery]) -> Playback:
    """Play `delivered`, at least one, in real time from the first byte; a stall delays all that follows."""
    played_at_s = delivered[0].first_byte_s + delivered[0].audio_s
    reserves_s = []
    for each in delivered[1:]:
        reserves_s.append(played_at_s - each.complete_s)
        played_at_s = max(played_at_s, each.complete_s) + each.audio_s
    stalls_s = [-reserve_s for reserve_s in reserves_s if reserve_s < 0]
    return Playback(len(stalls_s), max(stalls_s, default=0.0), min(reserves_s, default=float("inf")))


def gaps_s(delivered: Sequence[Delivery]) -> list[float]:
    """Return the seconds between arrivals; deliveries that were sent together count as one."""
    between = [after.complete_s - before.complete_s for before, after in zip(delivered, delivered[1:])]
    return [gap_s for gap_s in between if gap_s >= _TOGETHER_S]


def connect(address: Address, buffer_bytes: int | None = None) -> socket.socket:
    """Connect to a unix socket, or to a TCP port with a receive buffer of that size."""
    connected = socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)
    connected.settimeout(_ANSWER_S)
    try:
        if isinstance(address, Path):
            connected.connect(str(address))
        else:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The other side learns the size when the connection is made.
            if buffer_bytes is not None:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected


class Reader:
    """Slow reader: a client that reads a bounded number of bytes a second."""

    def __init__(self, connected: socket.socket, rate_bytes_s: float) -> None:
        """Read from a connection on which the request is sent."""
        # With a timeout, Python waits before each recv, whatever its flags.
        connected.settimeout(None)
        self._connected = connected
        self._rate_bytes_s = rate_bytes_s
        self._since_s: float | None = None
        #: All bytes read, with head and chunk sizes.
        self.raw = bytearray()
        #: Whether the server ended the connection, in any way.
        self.has_ended = False

    def read_some(self, now_s: float) -> None:
        """Read what its rate allows by `now_s`, without waiting."""
        if self._since_s is None:
            self._since_s = now_s
        allowed_bytes = int(self._rate_bytes_s * (1 + now_s - self._since_s))
        try:
            while (left_bytes := allowed_bytes - len(self.raw)) > 0 and not self.has_ended:
                piece = self._connected.recv(min(left_bytes, 65_536), socket.MSG_DONTWAIT)
                self.raw += piece
                self.has_ended = not piece
        except BlockingIOError:
            return
        except ConnectionError:
            self.has_ended = True

    def close(self) -> None:
        """Disconnect."""
        self._connected.close()


class Readers:
    """Slow readers, all in one thread, until the context ends."""

    def __init__(self) -> None:
        """Begin with none."""
        self._readers: list[Reader] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        for reader in self._readers:
            reader.close()

    def add(self, address: Address, fields: Mapping[str, object], rate_bytes_s: float = READ_BYTES_S) -> Reader:
        """Send one more request with that JSON body, and read its answer slowly, over TCP with a small buffer."""
        content = json.dumps(fields)
        connected = connect(address, _SLOW_BUFFER_BYTES)
        # Behind nginx, which allows one address 16 connections, each reader has an address of its own.
        connected.sendall((_SLOW_REQUEST.format(number=len(self._readers), size=len(content)) + content).encode())
        reader = Reader(connected, rate_bytes_s)
        with self._lock:
            self._readers.append(reader)
        return reader

    def remove(self, reader: Reader) -> None:
        """Have one of them disconnect."""
        with self._lock:
            self._readers.remove(reader)
        reader.close()

    def _read(self) -> None:
        while not self._over.wait(_READ_EVERY_S):
            with self._lock:
                for reader in self._readers:
                    reader.read_some(time.monotonic())


@contextmanager
def slow_senders(path: Path, number: int = SENDERS) -> Iterator[None]:
    """Keep clients connected to a unix socket that never complete their head, or, every second one, their body.

    One that is disconnected connects again.
    """
    over, connections = threading.Event(), dict[int, socket.socket]()

    def begin(sender: int) -> None:
        connections[sender] = connect(path)
        head = _SLOW_HEAD.format(number=sender) + ("Content-Length: 9999\r\n\r\n" if sender % 2 else "")
        connections[sender].sendall(head.encode())

    def send_on() -> None:
        while not over.wait(_SEND_EVERY_S):
            for sender, connection in list(connections.items()):
                with suppress(OSError):
                    connection.sendall(b"x" if sender % 2 else b"X-More: y\r\n")
                    continue
                connection.close()
                begin(sender)

    for sender in range(number):
        begin(sender)
    sending = threading.Thread(target=send_on, daemon=True)
    sending.start()
    try:
        yield
    finally:
        over.set()
        sending.join()
        for connection in connections.values():
            connection.close()
