"""A WSGI application with the real voice whose decoder fails from a given window on.

gunicorn serves `tests.support.failing_voice:create()`; CHORUS_FAIL_AT is the number of the window, from 0. With
CHORUS_FAIL_WITH the decoder raises; otherwise it returns invalid audio.
"""

import os
from functools import partial

import numpy as np
from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from ops.benchmarks.faults import open_with


class FailingNetworks(OnnxNetworks):
    """The real networks, except for a decoder that returns invalid audio at some window."""

    windows = 0

    def decode(self, window, condition, keep=None):
        samples = super().decode(window, condition, keep)
        if self.windows >= int(os.environ["CHORUS_FAIL_AT"]):
            if os.environ.get("CHORUS_FAIL_WITH"):
                raise MemoryError(os.environ["CHORUS_FAIL_WITH"])
            samples = np.full_like(samples, np.nan)
        self.windows += 1
        return samples


def create() -> Flask:
    return wsgi.create(partial(open_with, FailingNetworks))
