"""A WSGI application with the real voice that misbehaves in one revision only: that of a configuration with `threads: 3`.

gunicorn serves `tests.support.changed_voice:create()`; CHORUS_CHANGE says how: `die` kills the worker at its first window, `fail`
raises there, `slow` decodes every window three times, `unready` never opens the voice.
"""

import os
import signal

from flask import Flask

from app import wsgi
from loader.config.settings import Settings
from loader.engines.onnx import OnnxNetworks
from loader.errors import WarmUpError
from loader.retry import Backoff
from loader.voices.catalog import Catalog
from ops.benchmarks.faults import open_with

_TIMES = 3


class ChangedNetworks(OnnxNetworks):
    """The real networks with another decoder."""

    def decode(self, window, condition, keep=None):
        change = os.environ["CHORUS_CHANGE"]
        if change == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if change == "fail":
            raise MemoryError("told to fail")
        for _ in range(_TIMES):
            samples = super().decode(window, condition, keep)
        return samples


def open_changed(settings: Settings) -> Catalog:
    if settings.threads != 3:
        return wsgi.open_voices(settings)
    if os.environ["CHORUS_CHANGE"] == "unready":
        raise WarmUpError("told not to be ready")
    return open_with(ChangedNetworks, settings)


def create() -> Flask:
    return wsgi.create(open_changed, Backoff(tries=2, first_pause_s=0.05))
