"""Memory watchdog: the thread that samples a worker, and the alert, trim or replacement that follows a leak."""

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace as with_changes

from app.logs import event
from app.system.heap import return_free_memory
from app.watchdog.detector import STRIDE, Detector, State
from app.watchdog.sampler import Gauges, Heap, LowWaterMarks, MemorySample, Sweeper, uss_bytes
from loader.config.settings import WatchdogSettings

log = logging.getLogger("chorus.watchdog")

#: Pause between two samples, which take 0.2 ms each.
_PAUSE_S = 0.05
#: After this long without a request, a last sample is taken, when free memory has been returned.
_REST_S = 1.0
#: Interval of USS readings: while there is work, and otherwise.
_USS_BUSY_S, _USS_REST_S = 60.0, 10.0
#: Interval of attempts to get permission to end.
_TURN_S = 1.0
#: Pause after a sample that failed.
_FAILED_S = 60.0


class Watchdog:
    """Watches one worker. Can be made before the fork; `begin` is called after it.

    Its thread sleeps until there is work. Its errors do not reach requests.
    """

    def __init__(
        self,
        settings: WatchdogSettings,
        note: Callable[[MemorySample], None],
        alerted: Callable[[str], None],
        take_turn: Callable[[], bool],
        replace: Callable[[], None],
        device_bytes: Callable[[], int | None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch according to `settings`.

        Args:
            settings: sampling rate, thresholds, and the action after an alert.
            note: receives every sample, at most twenty a second.
            alerted: receives the kind of leak (`scoreboard.layout.LEAKS`) at each alert.
            take_turn: returns whether this worker may be replaced now; called until it returns True.
            replace: ends this worker between two requests.
            device_bytes: bytes allocated by the device's allocator; None if there is no device.
            now_s: a clock.
        """
        self._settings = settings
        self._note = note
        self._alerted = alerted
        self._take_turn = take_turn
        self._replace = replace
        self._now_s = now_s
        self._gauges = Gauges(device_bytes)
        self._low_water = LowWaterMarks()
        self._detector = Detector(settings, now_s)
        self._sweeper = Sweeper(now_s)
        self._stopped = threading.Event()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        #: Number of syntheses at which the next sample is due.
        self._due = 1
        self._judged = 0
        self._waits_for_turn = False
        #: Voices that have spoken here since they were opened, and how often one of them spoke for the first time; each
        #: allocates memory then, above all on a device.
        self._voices: set[str] = set()
        self._openings = 0
        self._uss_bytes: int | None = None
        self._uss_at_s = 0.0

    @property
    def state(self) -> State:
        """State of the detector."""
        return self._detector.state

    def begin(self) -> None:
        """Start the thread. Runs in a worker, after the fork, before its first request."""
        if self._settings.trace:
            import tracemalloc

            tracemalloc.start()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and return when it has ended."""
        self._stopped.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join()

    def synthesised(self, voice: str) -> None:
        """Count a synthesis by `voice` that has freed its memory. Called from any thread; takes 10 us."""
        if voice not in self._voices:
            self._voices.add(voice)
            self._openings += 1
        if self._low_water.add(self._gauges.heap()) >= self._due:
            self._awake.set()

    def closed(self, voice: str) -> None:
        """Expect that `voice` allocates memory again at its next speech."""
        self._voices.discard(voice)

    def look(self) -> None:
        """Take a sample and evaluate it. Called by the thread; tests may call it too."""
        self._sweeper.sweep()
        heap = self._gauges.heap()
        requests = self._low_water.served
        if requests - self._judged >= STRIDE:
            requests, heap = self._low_water.take(heap)
            self._judge(self._sample(requests, heap, _USS_BUSY_S))
        else:
            self._show(self._sample(requests, heap, _USS_BUSY_S))
        self._due = requests + STRIDE
        self._end_in_turn()

    def rest(self) -> None:
        """Take the sample of an idle worker."""
        self._show(self._sample(self._low_water.served, self._gauges.heap(), _USS_REST_S))
        self._due = self._low_water.served + 1
        self._end_in_turn()

    def _judge(self, sample: MemorySample) -> None:
        self._judged = sample.requests
        leak = self._detector.add(sample, self._openings)
        self._show(sample)
        if leak is None:
            return
        # Not at the top: most workers never need it.
        from app.watchdog.alert import alert_fields

        event(log, "memory.leak_suspected", logging.WARNING, **alert_fields(leak, sample, self._settings.action))
        self._alerted(leak.kind)
        self._act()

    def _show(self, sample: MemorySample) -> None:
        self._note(self._detector.with_traced_bytes(sample))

    def _act(self) -> None:
        if self._settings.action == "trim":
            gc.collect()
            return_free_memory()
        self._waits_for_turn = self._settings.action == "replace"

    def _end_in_turn(self) -> None:
        if self._waits_for_turn and self._take_turn():
            self._waits_for_turn = False
            self._stopped.set()
            self._replace()

    def _sample(self, requests: int, heap: Heap, uss_every_s: float) -> MemorySample:
        now_s = self._now_s()
        if self._uss_bytes is None or now_s - self._uss_at_s >= uss_every_s:
            self._uss_bytes, self._uss_at_s = uss_bytes(), now_s
        sample = self._gauges.sample(requests, self._uss_bytes)
        return with_changes(sample, live_bytes=heap.live_bytes, python_blocks=heap.python_blocks)

    def _run(self) -> None:
        try:
            self._survive(self.rest)
            while not self._stopped.is_set():
                self._survive(self._wait_for_work)
        finally:
            self._detector.abandon()

    def _survive(self, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:  # such as no free descriptor: a later sample may succeed
            log.error("watchdog.failed", exc_info=error)
            self._stopped.wait(_FAILED_S)

    def _wait_for_work(self) -> None:
        self._awake.wait(_TURN_S if self._waits_for_turn else None)
        while self._awake.is_set() and not self._stopped.is_set():
            self._awake.clear()
            self.look()
            self._stopped.wait(_PAUSE_S)
            self._awake.wait(max(_REST_S, self._uss_at_s + _USS_REST_S - self._now_s()))
        if not self._stopped.is_set():
            self.rest()
