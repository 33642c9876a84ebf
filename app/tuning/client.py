"""One request to a server under measurement, timed from when it was meant to be sent."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from app.tuning.mix import Line
from app.tuning.outcome import ANSWERED, CUT, ERROR, LATE, REFUSED, UNREACHABLE, Outcome

HOST = "127.0.0.1"
_PATH = "/v1/audio/speech"
#: What comes before the first sample of a WAV file; no format has audio in less.
_HEADER_BYTES = 44
_PIECE_BYTES = 65_536


class Call:
    """One request in a thread of its own. `leave` may be called from any thread, at any time."""

    def __init__(self, port: int, line: Line, intended_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts from the same moment as `intended_s`."""
        self._line, self._intended_s, self._clock = line, intended_s, clock
        self._connection = http.client.HTTPConnection(HOST, port, timeout=600)
        # Kept here: http.client forgets it as soon as an answer says that it is the connection's last.
        self._socket: socket.socket | None = None
        self._left = threading.Event()
        self._sent_s = self._clock()
        self._first_audio_s: float | None = None
        self._status: int | None = None
        self._received_bytes = 0
        self._retry_after: str | None = None

    def made(self) -> Outcome:
        """Send, read the answer to its end, and return what became of it. Never raises."""
        self._sent_s = self._clock()
        try:
            return self._outcome(self._exchanged())
        except http.client.IncompleteRead:
            return self._outcome(CUT)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            # The last two come from http.client where `leave` closed its socket under it.
            return self._outcome(CUT if self._status == 200 else UNREACHABLE)
        finally:
            self._connection.close()

    def leave(self) -> None:
        """Hang up: the call ends at once, as late unless it has ended already."""
        self._left.set()
        if self._socket is not None:
            with suppress(OSError):
                # Closing alone would not wake a thread that waits in recv.
                self._socket.shutdown(socket.SHUT_RDWR)

    def _exchanged(self) -> str:
        self._connection.connect()
        self._socket = self._connection.sock
        if self._left.is_set():
            return LATE
        self._connection.request("POST", _PATH, json.dumps(self._line.body), {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        self._status = response.status
        self._retry_after = response.getheader("Retry-After")
        while piece := response.read1(_PIECE_BYTES):
            self._received_bytes += len(piece)
            if self._first_audio_s is None and self._received_bytes > _HEADER_BYTES:
                self._first_audio_s = self._clock()
        if response.status == 200:
            return ANSWERED if self._is_whole(response) else CUT
        return REFUSED if response.status in (429, 503) else ERROR

    def _is_whole(self, response: http.client.HTTPResponse) -> bool:
        """Whether it holds audio, and all that was announced: `read1` ends quietly where a declared length is not reached."""
        return self._first_audio_s is not None and not response.length

    def _outcome(self, fate: str) -> Outcome:
        fate = LATE if self._left.is_set() and fate != ANSWERED else fate
        return Outcome(
            self._line.characters,
            self._intended_s,
            self._sent_s,
            fate,
            self._status,
            self._first_audio_s,
            None if fate in (LATE, UNREACHABLE) else self._clock(),
            self._received_bytes,
            self._retry_after,
        )
