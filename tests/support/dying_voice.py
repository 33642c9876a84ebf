"""A WSGI application over the real voice that ends its worker at once, as the kernel does, while it is told to.

gunicorn serves `tests.support.dying_voice:create()`; the file CHORUS_POISON tells it to.
"""

import os
import signal
from functools import partial

from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from ops.benchmarks.faults import open_with


class DyingNetworks(OnnxNetworks):
    """The real networks, but for a decoder that ends its process."""

    def decode(self, window, condition, keep=None):
        if os.path.exists(os.environ["CHORUS_POISON"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().decode(window, condition, keep)


def create() -> Flask:
    return wsgi.create(partial(open_with, DyingNetworks))
