"""What is left to do in a worker between its fork and its first request, tried again while another try may help."""

import logging
import math
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import WarmingUpError
from app.logs import event
from loader.errors import LoaderError
from loader.retry import Backoff, format_error, with_retries
from loader.voices.catalog import Catalog

log = logging.getLogger("chorus.process")


#: How long a request waits for the first try at most. The queue is one for all workers: refusing at once, a
#: worker that is a moment from ready would take what the ready ones could answer.
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Progress:
    """How far a worker is that is not ready."""

    #: The number of this try, from 1.
    attempt: int
    #: How many tries there are.
    tries: int
    #: What the last try failed with; None in the first.
    why: str | None = None


def stop_gracefully() -> None:
    """Have this worker take no more requests, finish the ones it has, and end; the master forks another."""
    os.kill(os.getpid(), signal.SIGTERM)


class WarmUp:
    """Opens the voices where the master has not, enters the device, and speaks on it.

    Made before the fork; `begin` runs in every worker. Where the master opened the voices
    and there is no device, nothing is left to do, and no thread is started.
    """

    def __init__(
        self,
        open_voices: Callable[[], Catalog],
        backoff: Backoff = Backoff(),
        pause: Callable[[float], object] | None = None,
        stop: Callable[[], None] = stop_gracefully,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Prepare to warm up.

        Args:
            open_voices: opens the catalogue; called once where it succeeds.
            backoff: how often to try. After the last try the worker waits once more before it
                ends, because gunicorn replaces it at once.
            pause: waits that many seconds; default: until `abandon`, at most.
            stop: ends this worker gracefully.
            patience_s: how long a request waits for the first try.
        """
        self._open_voices = open_voices
        self._backoff = backoff
        self._abandoned = threading.Event()
        self._pause = pause or self._abandoned.wait
        self._stop = stop
        self._patience_s = patience_s
        #: The first try is over, one way or the other.
        self._tried = threading.Event()
        self._catalogue: Catalog | None = None
        self._thread: threading.Thread | None = None
        self._ready = False
        self._when_reader_ended: Callable[[], None] = lambda: None
        #: Read by requests while the thread goes on.
        self.progress = Progress(1, backoff.tries)
        #: What this worker is to end with; 0 unless warming up failed for good.
        self.exit_status = 0

    @property
    def is_ready(self) -> bool:
        """Whether this worker may be sent work."""
        return self._ready

    @property
    def catalogue(self) -> Catalog:
        """The voices; waits for the first try to get them ready, and no longer.

        Raises:
            WarmingUpError: they are not ready.
        """
        if not self._ready:
            self._tried.wait(self._patience_s)
        if self._catalogue is None or not self._ready:
            raise WarmingUpError(max(1, math.ceil(self._backoff.pause_s(self.progress.attempt))))
        return self._catalogue

    def device_bytes(self) -> int | None:
        """Return how much of the device's memory this process uses; None where it uses no device."""
        accelerator = None if self._catalogue is None else self._catalogue.accelerator
        return None if accelerator is None else accelerator.held_bytes()

    def open(self) -> None:
        """Open the voices now. Runs in the master, before the fork; touches no device.

        Raises:
            LoaderError: any of its children.
        """
        self._catalogue = self._open_voices()
        self._ready = self._catalogue.accelerator is None

    def start_reader(self, when_ended: Callable[[], None]) -> None:
        """Start the process that reads text, if the voices are open. Runs in a worker, after the fork, before its threads.

        Args:
            when_ended: called whenever a text has ended that process.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        self._when_reader_ended = when_ended
        if self._catalogue is not None:
            self._catalogue.start_reader(when_ended)

    def begin(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Start what is left to do, in a thread, and call back once the voices are ready. Runs in a worker, after the fork."""
        self._when_ready = when_ready
        if self._ready:
            when_ready()
        else:
            self._thread = threading.Thread(target=self._run, name="warm-up")
            self._thread.start()

    def abandon(self) -> None:
        """Wait no longer: this worker is ending."""
        self._abandoned.set()

    def _run(self) -> None:
        try:
            self._ready = with_retries(self._made_ready, self._backoff, self._wait, self._note)
        except LoaderError as error:
            self._end(error)
        else:
            self._tried.set()
            event(log, "worker.ready", attempt=self.progress.attempt)
            if self._ready:  # and not abandoned meanwhile
                self._when_ready()

    def _made_ready(self) -> bool:
        if self._abandoned.is_set():
            return False
        if self._catalogue is None:
            self._catalogue = self._open_voices()
        self._catalogue.start_reader(self._when_reader_ended)
        self._catalogue.enter_device()
        if self._catalogue.accelerator is not None:
            # Not before: one that is lost while warming up must not be replaced without a pause.
            self._catalogue.accelerator.when_poisoned(self._replace)
        return True

    def _note(self, attempt: int, error: BaseException) -> None:
        why, last = format_error(error), self._backoff.tries
        self.progress = Progress(min(attempt + 1, last), last, why)
        self._tried.set()
        event(log, "worker.warm_up_failed", logging.WARNING, attempt=attempt, tries=last, reason=why)

    def _end(self, error: LoaderError) -> None:
        """End this worker with a status that leaves the others alone, so late that replacing it costs little."""
        last = self._backoff.tries
        self.progress = Progress(self.progress.attempt, last, format_error(error.__cause__ or error))
        self._tried.set()
        event(log, "worker.not_ready", logging.ERROR, status=error.exit_status, reason=str(error))
        self._wait(self._backoff.pause_s(last))
        if self._abandoned.is_set():
            return
        self.exit_status = error.exit_status
        self._stop()

    def _replace(self) -> None:
        event(log, "worker.replaces_itself", logging.WARNING, reason="its device is lost to this process")
        self._stop()

    def _wait(self, pause_s: float) -> None:
        self._pause(pause_s)
