"""The master's side of a preparation: a child process that is started and asked for its outcome without ever waiting."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from app.rollout.messages import Order, Outcome

_ROOT = Path(__file__).resolve().parents[2]
_BLOCK_BYTES = 65536
_DIED = "the preparation ended without an outcome; the log may say why, or the kernel's if memory ran out"


class PreparationProcess:
    """A child process, from its start to its outcome. Made in the master, which reaps it like every child of it."""

    def __init__(self, order: Order) -> None:
        """Start the process.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        content = os.memfd_create("chorus-order", os.MFD_CLOEXEC)
        self._outcome, answer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._read = b""
        try:
            os.write(content, msgspec.json.encode(order))
            os.lseek(content, 0, os.SEEK_SET)
            os.set_blocking(answer, True)
            # A process without threads: it is replaced by the program at once.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.rollout.preparation"], cwd=_ROOT, stdin=content, stdout=answer
            )
        except BaseException:
            os.close(self._outcome)
            raise
        finally:
            os.close(content)
            os.close(answer)
        self.pid = self._process.pid

    def poll(self) -> Outcome | None:
        """Return the outcome; None while there is none yet. A process that ended without one has refused."""
        has_ended = not self._exists()
        with suppress(BlockingIOError):
            while block := os.read(self._outcome, _BLOCK_BYTES):
                self._read += block
            has_ended = True
        if self._read.endswith(b"\n"):
            return msgspec.json.decode(self._read, type=Outcome)
        return Outcome(refusal=_DIED) if has_ended else None

    def stop(self) -> None:
        """End the process, if it has not ended, and forget it."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.close()

    def kill(self) -> None:
        """End the process at once, and wait for that."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        """Close the descriptor; in a worker too, which inherits it."""
        os.close(self._outcome)
        # The master's loop takes its status; `Popen` would complain that it did not.
        self._process.returncode = 0

    def _exists(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True
