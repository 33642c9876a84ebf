"""From a mapped artifact to what a voice speaks with, by the engine that its manifest names."""

import importlib
import logging
import threading
import time

from loader.artifacts.artifact import Artifact
from loader.devices.accelerator import Accelerator, Device
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd
from loader.voices.voice import Parts

log = logging.getLogger("chorus.loader")

#: Coqui finds its classes by importing them, which two threads at once do wrong: an unlucky one got a module for a class.
_one_at_a_time = threading.Lock()


def import_libraries(engine: str) -> None:
    """Import what `engine` needs, so that workers inherit it and a voice opened later opens fast."""
    importlib.import_module(f"loader.engines.{engine}").import_libraries()


def named_device(name: str) -> Device:
    """Return the device of that name, such as `cuda:0`. Touches nothing, imports no library of it."""
    device: Device = importlib.import_module("loader.devices.cuda").CudaDevice(name)
    return device


def open_parts(artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None = None) -> Parts:
    """Open the engine and the front end of one artifact.

    Args:
        artifact: mapped and verified.
        espeak: the process's own.
        accelerator: what the engine may copy its model to, once the process has entered it.

    Raises:
        LoaderError: any of its children.
    """
    with _one_at_a_time:
        return _opened(artifact, espeak, accelerator)


def _opened(artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None) -> Parts:
    started_s = time.monotonic()
    manifest = artifact.manifest
    module = importlib.import_module(f"loader.engines.{manifest.engine}")
    engine = module.open_engine(artifact, accelerator)
    front_end = (
        module.front_end(artifact)
        if manifest.text is None
        else TextFrontEnd(manifest.text, manifest.voice.languages, artifact.buffers, espeak)
    )
    log.info("artifact %s opened in %.3f s by %s", manifest.key, time.monotonic() - started_s, manifest.engine)
    return Parts(engine, front_end)
