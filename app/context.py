"""What one process serves from: its configuration and its open voices."""

from dataclasses import dataclass

from app.scheduling.admission import Admission
from app.scheduling.cpu import Hands
from app.scheduling.parking import Parking
from app.system.heap import IdleHeap
from app.warmup import WarmUp
from app.watchdog.watchdog import Watchdog
from loader.config.settings import Settings
from loader.voices.catalog import Catalog


@dataclass(frozen=True)
class Service:
    """Made once a process, in the master where `preload` is on; immutable."""

    settings: Settings
    warm_up: WarmUp
    #: Unix time at which the process was made.
    opened_at_s: int
    heap: IdleHeap
    hands: Hands
    admission: Admission
    parking: Parking
    watchdog: Watchdog

    @property
    def catalogue(self) -> Catalog:
        """The open voices.

        Raises:
            WarmingUpError: they are not ready in this worker.
        """
        return self.warm_up.catalogue
