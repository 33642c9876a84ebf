"""A WSGI application over the real voice whose decoder fails from a chosen window on.

gunicorn serves `tests.support.failing_voice:create()`; CHORUS_FAIL_AT is the window, counted from 0;
with CHORUS_FAIL_WITH it raises instead of returning what is no audio.
"""

import os
from functools import partial

import numpy as np
from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from ops.benchmarks.faults import open_with


class FailingNetworks(OnnxNetworks):
    """The real networks, but for a decoder that at some window returns what is not audio."""

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
