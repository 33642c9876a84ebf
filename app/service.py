"""What one process serves from: its configuration and its open voices."""

from dataclasses import dataclass

from app.memory import IdleHeap
from loader.config import Settings
from loader.voices import Catalogue


@dataclass(frozen=True)
class Service:
    """Made once a process, in the master where `preload` is on; immutable."""

    settings: Settings
    catalogue: Catalogue
    #: Unix time at which the voices were opened.
    opened_at_s: int
    heap: IdleHeap
