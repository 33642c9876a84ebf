"""A client that looks at the clock whenever audio arrives, and what a listener makes of it."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from .servers import ANSWER_S, HOST, Ask, Server, request

#: Of a WAV file, or of a stream of one, before the first sample.
_HEADER_BYTES = 44
#: A small piece is there sooner than a large one is complete; most windows are larger.
_PIECE_BYTES = 4096
#: What follows within this was sent together: the pause after a sentence goes out with the sentence's end.
_TOGETHER_S = 0.001


@dataclass(frozen=True)
class Delivery:
    """Audio that was sent together: a chunk of a streamed answer, a piece of a whole one."""

    #: From just before the connection was asked for to the first byte of audio, and to the last.
    first_byte_s: float
    complete_s: float
    #: How long it plays.
    audio_s: float


@dataclass(frozen=True)
class Playback:
    """What somebody hears who plays in real time from the first byte."""

    #: How often everything had been played before more arrived.
    underruns: int
    longest_stall_s: float
    #: The least audio in hand when more arrived; below 0 is a stall, infinite where one delivery was all.
    least_reserve_s: float


class NotSpokenError(Exception):
    """The answer was an error, no WAV file, or cut short."""


def deliveries(
    port: int, ask: Ask, now: Callable[[], float] = time.perf_counter, kernel_bytes: int | None = None
) -> Iterator[Delivery]:
    """Yield what arrives, as it does; nothing is read ahead, so whoever takes it slowly holds the server back.

    Args:
        port: of a server on this machine.
        ask: a request that is answered with a WAV file of 16 bits and one channel.
        now: a clock, in seconds.
        kernel_bytes: how much the kernel may hold until it is read; None leaves that to the kernel, and may be minutes.

    Raises:
        NotSpokenError: the answer is not what it should be.
    """
    started_s = now()
    with closing(http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)) as connection:
        try:
            connection.sock = _connected(port, kernel_bytes)
            answer = request(connection, ask)
            if answer.status != 200:
                raise NotSpokenError(f"status {answer.status}: {answer.read(200)!r}")
            bytes_per_s = _bytes_per_s(answer.read(_HEADER_BYTES))
            for first_s, complete_s, size in _arrivals(answer, now):
                yield Delivery(first_s - started_s, complete_s - started_s, size / bytes_per_s)
        except (OSError, http.client.HTTPException) as error:
            raise NotSpokenError(f"{type(error).__name__}: {error}") from error
        if answer.length:
            raise NotSpokenError(f"{answer.length} bytes are missing")


def listen(server: Server, ask: Ask, kernel_bytes: int | None = None) -> Iterator[Delivery]:
    """Yield what `server` delivers (see `deliveries`).

    Raises:
        ChildFailedError: it did not speak, or not to the end.
    """
    try:
        yield from deliveries(server.port, ask, kernel_bytes=kernel_bytes)
    except NotSpokenError as error:
        raise server.child.failure(f"{server.kind.name} was asked for {ask.path[:60]}: {error}") from error


def playback(delivered: Sequence[Delivery]) -> Playback:
    """Play `delivered`, at least one, in real time from the first byte; a stall puts off all that follows."""
    played_at_s = delivered[0].first_byte_s + delivered[0].audio_s
    reserves_s = []
    for each in delivered[1:]:
        reserves_s.append(played_at_s - each.complete_s)
        played_at_s = max(played_at_s, each.complete_s) + each.audio_s
    stalls_s = [-reserve_s for reserve_s in reserves_s if reserve_s < 0]
    return Playback(len(stalls_s), max(stalls_s, default=0.0), min(reserves_s, default=float("inf")))


def gaps_s(delivered: Sequence[Delivery]) -> list[float]:
    """Return the seconds between one arrival and the next, what was sent together taken as one."""
    between = [after.complete_s - before.complete_s for before, after in zip(delivered, delivered[1:])]
    return [gap_s for gap_s in between if gap_s >= _TOGETHER_S]


def _connected(port: int, kernel_bytes: int | None) -> socket.socket:
    connected = socket.socket()
    connected.settimeout(ANSWER_S)
    # What the other side may send before it is read is told to it when the connection is made.
    if kernel_bytes is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel_bytes)
    try:
        connected.connect((HOST, port))
    except BaseException:
        connected.close()
        raise
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _arrivals(answer: http.client.HTTPResponse, now: Callable[[], float]) -> Iterator[tuple[float, float, int]]:
    """Yield when the first byte and the last of each delivery were there, and its size in bytes."""
    first_s, size = None, 0
    while piece := answer.read1(_PIECE_BYTES):
        piece_s = now()
        first_s = piece_s if first_s is None else first_s
        size += len(piece)
        # A chunk whose end has not been read yet goes on.
        if not answer.chunked or not answer.chunk_left:
            yield first_s, piece_s, size
            first_s, size = None, 0


def _bytes_per_s(header: bytes) -> int:
    if header[:4] != b"RIFF" or header[36:40] != b"data":
        raise NotSpokenError(f"no WAV header of {_HEADER_BYTES} bytes: {header!r}")
    return int.from_bytes(header[28:32], "little")
