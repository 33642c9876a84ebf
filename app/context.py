"""Context: everything that one process serves from."""

import gc
import logging
import time

from app.logs import event
from app.scheduling.admission import Admission
from app.scheduling.cpu import CpuBudget
from app.scheduling.deadline import ProxyClock
from app.scheduling.slow_clients import Parking
from app.scoreboard.board import Scoreboard, Slot
from app.scoreboard.layout import SAMPLED
from app.system.heap import IdleHeap
from app.warmup import WarmUp, stop_gracefully
from app.watchdog.sampler import MemorySample
from app.watchdog.watchdog import Watchdog
from loader.config.settings import Settings

log = logging.getLogger("chorus.process")


class Context:
    """What one process serves from.

    Made with the application, in the master if `preload` is on: only what needs no slot. `enter_worker` adds the rest in
    each worker, before its first request.
    """

    board: Scoreboard
    #: This worker's slot on the board.
    slot: Slot
    cpu: CpuBudget
    admission: Admission
    parking: Parking
    watchdog: Watchdog
    proxy_clock: ProxyClock

    def __init__(self, settings: Settings, warm_up: WarmUp, revision: str = "") -> None:
        self.settings = settings
        #: Id of what is served, see `app.rollout.revision`.
        self.revision = revision
        self.warm_up = warm_up
        #: Unix time at which the voices were opened.
        self.opened_at_s = int(time.time())
        self.heap = IdleHeap()

    def enter_worker(self, board: Scoreboard, slot: Slot) -> None:
        """Set the worker's slot, and build what writes to it. Runs once in each worker, after the fork."""
        settings = self.settings
        self.board, self.slot = board, slot
        self.cpu = CpuBudget(board, slot, stall_s=settings.admission.stall_s, parallel=settings.speech.parallel)
        self.admission = Admission(settings.threads, settings.admission, board, slot)
        self.parking = Parking(settings.admission.parked, settings.threads, self.heap, slot)
        self.proxy_clock = ProxyClock(slot.count_distrusted_start)
        self.watchdog = Watchdog(
            settings.watchdog,
            note=self._publish_sample,
            alerted=slot.count_leak,
            take_turn=board.take_turn,
            replace=stop_gracefully,
            device_bytes=self.warm_up.device_bytes,
        )

    def close_unused_voice(self) -> None:
        """Close a voice that has been unused for `close_unused_s`, if there is one, and return its memory."""
        catalogue = self.warm_up.catalogue if self.warm_up.is_ready else None
        closed = None if catalogue is None else catalogue.close_unused()
        if closed is None:
            return
        self.watchdog.closed(closed.name)
        # The modules of its front end refer to each other.
        gc.collect()
        self.heap.trim_if_idle()
        event(log, "voice.closed", voice=closed.name)

    def _publish_sample(self, sample: MemorySample) -> None:
        values = {name: getattr(sample, name) for name in SAMPLED}
        measured = {name: float(value) for name, value in values.items() if value is not None}
        self.slot.set_gauges(sampled_at_s=time.time(), **measured)
