"""Opening of one voice: from its mapped artifact to its engine and its front end."""

import importlib
import logging
import threading
import time
from typing import Any

from loader.artifacts.artifact import Artifact, TextFacts, verify_artifact
from loader.devices.accelerator import Accelerator
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd
from loader.text.piper_front_end import PiperFrontEnd
from loader.text.reading import FrontEnd
from loader.voices.parts import Parts

log = logging.getLogger("chorus.loader")

#: Coqui finds its classes by importing them, which fails in two threads at once: one got a module for a class.
_opening = threading.Lock()


class Opener:
    """Opens one voice as often as it is called. Its artifact is verified the first time, in this process or before its fork."""

    def __init__(self, artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None) -> None:
        self._artifact, self._espeak, self._accelerator = artifact, espeak, accelerator
        self._is_verified = False

    def verify(self) -> None:
        """Verify the artifact, unless that is done.

        Raises:
            IntegrityError: a file differs from the published one.
        """
        if not self._is_verified:
            verify_artifact(self._artifact)
            self._is_verified = True

    def __call__(self) -> Parts:
        self.verify()
        return open_parts(self._artifact, self._espeak, self._accelerator)


def open_parts(artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None = None) -> Parts:
    """Open the engine and the front end of one artifact.

    Args:
        artifact: mapped, and verified.
        espeak: the process's own.
        accelerator: the engine may copy its model there once the process has entered it.
    """
    with _opening:
        return _open_parts(artifact, espeak, accelerator)


def _open_parts(artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None) -> Parts:
    started_s = time.monotonic()
    manifest, module = artifact.manifest, engine_of(artifact)
    engine = module.open_engine(artifact, accelerator)
    front_end = module.front_end(artifact) if manifest.text is None else _open_front_end(artifact, manifest.text, espeak)
    log.info("artifact %s opened in %.3f s by %s", manifest.key, time.monotonic() - started_s, manifest.engine)
    return Parts(engine, front_end)


def _open_front_end(artifact: Artifact, text: TextFacts, espeak: Espeak) -> FrontEnd:
    if text.piper is not None:
        return PiperFrontEnd(text, espeak)
    return TextFrontEnd(text, artifact.manifest.voice.languages, artifact.buffers, espeak)


def engine_of(artifact: Artifact) -> Any:
    """Return the engine's module (see `loader.engines`)."""
    return importlib.import_module(f"loader.engines.{artifact.manifest.engine}")
