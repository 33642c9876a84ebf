"""A WSGI application with the real voice that kills its worker, as the kernel does, while a file exists.

gunicorn serves `tests.support.dying_voice:create()`; the file is CHORUS_POISON.
"""

import os
import signal
from functools import partial

from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from ops.benchmarks.faults import open_with


class DyingNetworks(OnnxNetworks):
    """The real networks, except for a decoder that kills its process."""

    def decode(self, window, condition, keep=None):
        if os.path.exists(os.environ["CHORUS_POISON"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().decode(window, condition, keep)


def create() -> Flask:
    return wsgi.create(partial(open_with, DyingNetworks))
