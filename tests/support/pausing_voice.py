"""A WSGI application with the real voice that pauses in mid-speech until a file exists.

gunicorn serves `tests.support.pausing_voice:create()`; after its first two windows every speech waits for the
file CHORUS_GO_ON.
"""

import os
import select
from functools import partial

from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from ops.benchmarks.faults import open_with


class PausingNetworks(OnnxNetworks):
    """The real networks, except for a decoder that waits before every window after the first two of this process."""

    windows = 0

    def decode(self, window, condition, keep=None):
        self.windows += 1
        while self.windows > 2 and not os.path.exists(os.environ["CHORUS_GO_ON"]):
            select.select([], [], [], 0.01)
        return super().decode(window, condition, keep)


def create() -> Flask:
    return wsgi.create(partial(open_with, PausingNetworks))
