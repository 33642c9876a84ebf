"""Warm-up: what a worker does between its fork and its first request, with retries."""

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


#: How long a request waits for the first try. All workers accept from one queue: a worker that refused at once
#: would take requests from workers that are ready.
MAX_WAIT_S = 30.0


@dataclass(frozen=True)
class Progress:
    """Progress of a worker that is not ready."""

    #: Number of this try, from 1.
    attempt: int
    #: Number of tries before the worker ends.
    tries: int
    #: Error of the last try; None in the first.
    reason: str | None = None


def stop_gracefully() -> None:
    """End this worker after its requests; the master forks another."""
    os.kill(os.getpid(), signal.SIGTERM)


def report_missing(catalog: Catalog) -> None:
    """Log an error for each voice that could not be opened while others are served."""
    for name, error in catalog.missing.items():
        event(log, "voice.refused", logging.ERROR, voice=name, reason=format_error(error))


class WarmUp:
    """Opens the voices if the master has not, enters the device, and speaks on it once.

    Made with the application; `begin` runs in every worker. It starts no thread if the master
    opened the voices and there is no device.
    """

    def __init__(
        self,
        open_voices: Callable[[], Catalog],
        backoff: Backoff = Backoff(),
        pause: Callable[[float], object] | None = None,
        stop: Callable[[], None] = stop_gracefully,
        max_wait_s: float = MAX_WAIT_S,
    ) -> None:
        """Prepare to warm up.

        Args:
            open_voices: opens the catalogue; called until it succeeds.
            backoff: how often to try. After the last try the worker waits once more before it
                ends, because gunicorn replaces it at once.
            pause: waits that many seconds; default: at most until `abandon`.
            stop: ends this worker gracefully.
            max_wait_s: how long a request waits for the first try.
        """
        self._open_voices = open_voices
        self._backoff = backoff
        self._abandoned = threading.Event()
        self._pause = pause or self._abandoned.wait
        self._stop = stop
        self._max_wait_s = max_wait_s
        #: Set when the first try is over.
        self._tried = threading.Event()
        self._catalogue: Catalog | None = None
        self._thread: threading.Thread | None = None
        self._ready = False
        self._when_reader_ended: Callable[[], None] = lambda: None
        #: Read by requests while the thread goes on.
        self.progress = Progress(1, backoff.tries)
        #: Exit status of this worker; 0 unless the last try failed.
        self.exit_status = 0

    @property
    def is_ready(self) -> bool:
        """Whether this worker can serve requests."""
        return self._ready

    @property
    def catalogue(self) -> Catalog:
        """The voices; waits for the first try, if it is not over.

        Raises:
            WarmingUpError: they are not ready.
        """
        if not self._ready:
            self._tried.wait(self._max_wait_s)
        if self._catalogue is None or not self._ready:
            raise WarmingUpError(max(1, math.ceil(self._backoff.pause_s(self.progress.attempt))))
        return self._catalogue

    @property
    def opened(self) -> Catalog | None:
        """The voices as far as this process has opened them."""
        return self._catalogue

    def device_bytes(self) -> int | None:
        """Return how much of the device's memory this process uses; None without a device."""
        accelerator = None if self._catalogue is None else self._catalogue.accelerator
        return None if accelerator is None else accelerator.held_bytes()

    def open(self) -> None:
        """Open the voices. Runs in the master, before the fork; touches no device.

        Raises:
            LoaderError: any of its children.
        """
        self._catalogue = self._open_voices()
        self._ready = self._catalogue.accelerator is None

    def close(self) -> None:
        """Close the voices, so that their mappings end. Runs in the master, once no worker is forked from them any more."""
        self._catalogue, self._ready = None, False

    def start_reader(self, when_ended: Callable[[], None]) -> None:
        """Start the reader process, if the voices are open. Runs in a worker, after the fork, before its threads.

        Args:
            when_ended: called whenever a text ends that process.

        Raises:
            OSError: no process or descriptor is available.
        """
        self._when_reader_ended = when_ended
        if self._catalogue is not None:
            self._catalogue.start_reader(when_ended)

    def begin(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Start the warm-up in a thread, and call `when_ready` after it. Runs in a worker, after the fork."""
        self._when_ready = when_ready
        if self._ready:
            when_ready()
        else:
            self._thread = threading.Thread(target=self._run, name="warm-up")
            self._thread.start()

    def abandon(self) -> None:
        """Stop waiting: this worker is ending."""
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
            # Not before: a worker whose device is lost while it warms up must not be replaced without a pause.
            self._catalogue.accelerator.when_poisoned(self._recycle)
        return True

    def _note(self, attempt: int, error: BaseException) -> None:
        reason, last = format_error(error), self._backoff.tries
        self.progress = Progress(min(attempt + 1, last), last, reason)
        self._tried.set()
        event(log, "worker.warm_up_failed", logging.WARNING, attempt=attempt, tries=last, reason=reason)

    def _end(self, error: LoaderError) -> None:
        """End this worker with a status that does not end the server, after a pause that bounds the rate of restarts."""
        last = self._backoff.tries
        self.progress = Progress(self.progress.attempt, last, format_error(error.__cause__ or error))
        self._tried.set()
        event(log, "worker.startup_failed", logging.ERROR, status=error.exit_status, reason=str(error))
        self._wait(self._backoff.pause_s(last))
        if self._abandoned.is_set():
            return
        self.exit_status = error.exit_status
        self._stop()

    def _recycle(self) -> None:
        event(log, "worker.recycled", logging.WARNING, reason="the device is lost to this process")
        self._stop()

    def _wait(self, pause_s: float) -> None:
        self._pause(pause_s)
