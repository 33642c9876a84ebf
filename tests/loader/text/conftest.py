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
    return TextFrontEnd(opened_embedded.manifest.text, opened_embedded.buffers, espeak)
