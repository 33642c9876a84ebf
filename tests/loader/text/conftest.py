"""The embedded voice's front end, once for all tests of it."""

import pytest

from loader.artifact import Artifact
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd


@pytest.fixture(scope="session")
def espeak() -> Espeak:
    """espeak-ng of this process."""
    return Espeak()


@pytest.fixture(scope="session")
def front_end(opened_embedded: Artifact, espeak: Espeak) -> TextFrontEnd:
    """The embedded voice's text side."""
    manifest = opened_embedded.manifest
    return TextFrontEnd(manifest.text, manifest.voice.languages, opened_embedded.buffers, espeak)
