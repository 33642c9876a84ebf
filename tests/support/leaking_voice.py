"""A WSGI application with the real voice whose decoder leaks with every window.

gunicorn serves `tests.support.leaking_voice:create()`; CHORUS_LEAK names a leak of `ops.benchmarks.faults`, and
CHORUS_LEAK_BYTES is its size.
"""

import os
from functools import cache, partial

from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from ops.benchmarks import faults
from ops.benchmarks.faults import open_with


@cache
def leak() -> faults.Leak:
    """The leak of this process."""
    size_bytes = os.environ.get("CHORUS_LEAK_BYTES")
    return getattr(faults, os.environ["CHORUS_LEAK"])(*([int(size_bytes)] if size_bytes else []))


class LeakingNetworks(OnnxNetworks):
    """The real networks, except for a decoder that leaks."""

    def decode(self, window, condition, keep=None):
        leak().serve(0)
        return super().decode(window, condition, keep)


def create() -> Flask:
    return wsgi.create(partial(open_with, LeakingNetworks))
