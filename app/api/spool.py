"""A whole answer until it is complete: in memory while it is small, then in a temporary file.

A chapter as WAV is 50 MB. In memory, four at a time would be more than a worker needs for everything else; a file is
pages that the kernel may write to the disk. If the folder of temporary files (`TMPDIR`) is in memory itself, they count
there.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.errors import NoRoomError
from app.logs import event

log = logging.getLogger("chorus.http")

#: 24 s of speech as WAV at 22.05 kHz.
MEMORY_BYTES = 1024 * 1024
#: Answers that are being sent make room by then.
RETRY_AFTER_S = 30
_PIECE_BYTES = 64 * 1024


class Spool:
    """One answer, written once and read out once. Used by one thread; close it in any case."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        """Keep up to `memory_bytes` in memory."""
        self._file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Add `data`.

        Raises:
            NoRoomError: there is no folder for temporary files, or no room in it.
        """
        with _kept_or_refused():
            self._file.write(data)
        self.size_bytes += len(data)

    def finish(self) -> None:
        """Add no more; the file may hold the last of it back until now.

        Raises:
            NoRoomError: there is no room for that.
        """
        with _kept_or_refused():
            self._file.flush()

    def read_out(self, head: bytes) -> Iterator[bytes]:
        """Yield `head`, then all that was written, in pieces."""
        self._file.seek(0)
        piece = head + self._file.read(_PIECE_BYTES)
        while piece:
            yield piece
            piece = self._file.read(_PIECE_BYTES)

    def close(self) -> None:
        """Free the memory, or the file. May be called twice."""
        with suppress(OSError):  # of what could not be written there is nothing to keep
            self._file.close()


@contextmanager
def _kept_or_refused() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        event(log, "answer.not_kept", logging.ERROR, reason=str(error), remedy="make room, or set TMPDIR")
        raise NoRoomError(RETRY_AFTER_S) from error
