"""From the environment's CHORUS_CONFIG to the application gunicorn serves."""

import os
import time
from collections.abc import Callable
from functools import partial

from flask import Flask

from app.api.app import create_app
from app.context import Service
from app.scheduling.admission import Admission
from app.scheduling.cpu import Hands
from app.scheduling.parking import Parking
from app.scoreboard.layout import SAMPLED
from app.startup import one_clear_message, settings_from
from app.system.heap import IdleHeap
from app.warmup import WarmUp, stop_gracefully
from app.watchdog.sampler import MemorySample
from app.watchdog.watchdog import Watchdog
from loader.config.settings import Settings
from loader.retry import Backoff
from loader.voices.catalog import Catalog, locate_all, open_catalog


def open_voices(settings: Settings) -> Catalog:
    """Find or bake the artifacts and open every voice that is to be open from the start.

    Raises:
        LoaderError: any of its children.
    """
    return open_catalog(settings, locate_all(settings, anew=settings.preload and not settings.use_cache))


def _hands(settings: Settings) -> Hands:
    return Hands(stall_s=settings.admission.stall_s, parallel=settings.speech.parallel)


def _watchdog(settings: Settings, hands: Hands, warm_up: WarmUp) -> Watchdog:
    """Return the watchdog of a worker: what it sees is shown on the board, where the worker's seat is by then."""
    return Watchdog(
        settings.watchdog,
        note=lambda sample: hands.seat.show(**_shown(sample)),
        alerted=lambda kind: hands.seat.leaked(kind),
        take_turn=lambda: hands.board.take_turn(),
        replace=stop_gracefully,
        device_bytes=warm_up.device_bytes,
    )


def _shown(sample: MemorySample) -> dict[str, float]:
    values = {name: getattr(sample, name) for name in SAMPLED}
    return {"sampled_at_s": time.time(), **{name: float(value) for name, value in values.items() if value is not None}}


def create(
    open_voices: Callable[[Settings], Catalog] = open_voices, backoff: Backoff = Backoff()
) -> Flask:
    """Return the application, its voices open where `preload` is on.

    Runs once in the master where `preload` is on, else once in every worker. What is left
    to do after the fork is begun by `process.begin_work`.
    """
    settings = settings_from(os.environ)
    warm_up = WarmUp(partial(open_voices, settings), backoff)
    if settings.preload:
        with one_clear_message():
            warm_up.open()
    hands = _hands(settings)
    admission = Admission(settings.threads, settings.admission, hands.board, hands.seat)
    heap = IdleHeap()
    parking = Parking(settings.admission.parked, settings.threads, heap, hands.seat)
    watchdog = _watchdog(settings, hands, warm_up)
    return create_app(Service(settings, warm_up, int(time.time()), heap, hands, admission, parking, watchdog))
