"""A WSGI application on a device that fails as planned; the device is really the CPU, so that the audio can be compared.

gunicorn serves `tests.support.failing_device:create()`. CHORUS_FAKE_DEVICE is the plan as JSON: the name of a call to the
numbers of the calls that fail ("always" for all) and the error (full, lost, broken or absent). CHORUS_FIRST_PAUSE_S is the first
pause of warm-up retries. If CHORUS_ONE_ONLY names a missing file, the plan applies to the one worker that creates the file.
"""

import json
import logging
import os
from pathlib import Path

from flask import Flask

from app import wsgi
from loader.artifacts.resolve import locate_all
from loader.config.settings import Settings
from loader.errors import DeviceError, NoDeviceError
from loader.retry import Backoff
from loader.voices.catalog import Catalog, open_catalog
from tests.support.fake_device import FakeDevice, FullError, LostError

log = logging.getLogger("chorus.fake")

_ERRORS = {"full": FullError, "lost": LostError, "broken": DeviceError, "absent": NoDeviceError}


class LoggedDevice(FakeDevice):
    """Logs the process that opens the device."""

    def open(self):
        if name := os.environ.get("CHORUS_ONE_ONLY"):
            self.plan = self.plan if _has_created(Path(name)) else {}
        log.info("the fake device is opened by process %d", os.getpid())
        super().open()


class OnDevice:
    """A voice's networks on the device: Coqui's own layers; each call can fail."""

    def __init__(self, networks, device):
        device.call("copy")
        self._networks, self._device = networks, device

    def encode(self, *inputs):
        self._device.call("encode")
        return self._networks.encode(*inputs)

    def flow(self, *inputs):
        self._device.call("flow")
        return self._networks.flow(*inputs)

    def decode(self, *inputs):
        self._device.call("decode")
        return self._networks.decode(*inputs)


def open_voices(settings: Settings) -> Catalog:
    plan = json.loads(os.environ.get("CHORUS_FAKE_DEVICE", "{}"))
    device = LoggedDevice({what: (numbers, _ERRORS[how]) for what, (numbers, how) in plan.items()})
    catalogue = open_catalog(settings, locate_all(settings), lambda name: device)
    for voice in catalogue.voices:
        placement = voice.parts.open().engine.networks._placement
        copy_to = placement._copy_to
        placement._copy_to = lambda model, name, copy_to=copy_to: OnDevice(copy_to(model, name), device)
    return catalogue


def create() -> Flask:
    return wsgi.create(open_voices, Backoff(first_pause_s=float(os.environ.get("CHORUS_FIRST_PAUSE_S", "0.01"))))


def _has_created(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        # The worker that created it fails at its retries, too.
        return path.read_text() == str(os.getpid())
    path.write_text(str(os.getpid()))
    return True
