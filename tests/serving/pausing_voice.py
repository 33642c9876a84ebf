"""A WSGI application over the real voice that stops in mid-speech until it is told to go on.

gunicorn serves `tests.serving.pausing_voice:create()`; after its first two windows every speech waits for the file
CHORUS_GO_ON to be there.
"""

import dataclasses
import os
import select

from flask import Flask

from app import wsgi
from loader.config import Settings
from loader.engines.onnx import OnnxNetworks
from loader.voices import Catalogue


class PausingNetworks(OnnxNetworks):
    """The real networks, but for a decoder that waits before every window but the first two of this process."""

    windows = 0

    def decode(self, window, condition, keep=None):
        self.windows += 1
        while self.windows > 2 and not os.path.exists(os.environ["CHORUS_GO_ON"]):
            select.select([], [], [], 0.01)
        return super().decode(window, condition, keep)


def open_pausing(settings: Settings) -> Catalogue:
    catalogue = wsgi.open_voices(settings)
    for voice in catalogue.voices:
        parts = voice.open()
        pausing = PausingNetworks.__new__(PausingNetworks)
        pausing.__dict__.update(parts.engine.networks.__dict__)
        voice._parts = dataclasses.replace(parts, engine=dataclasses.replace(parts.engine, networks=pausing))
    return catalogue


def create() -> Flask:
    return wsgi.create(open_pausing)
