"""The embedded voice's front end, and text sides of many languages, once for all tests of them."""

import json
import os
import shlex
import sys
from pathlib import Path

import espeakng_loader
import pytest

from loader.artifacts.artifact import Artifact, TextFacts
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd
from tests.loader.text import espeak_program
from tests.loader.text.programs import run_module


@pytest.fixture(scope="session")
def espeak() -> Espeak:
    """espeak-ng of this process."""
    return Espeak()


@pytest.fixture(scope="session")
def front_end(opened_embedded: Artifact, espeak: Espeak) -> TextFrontEnd:
    """The embedded voice's text side."""
    manifest = opened_embedded.manifest
    return TextFrontEnd(manifest.text, manifest.voice.languages, opened_embedded.buffers, espeak)


@pytest.fixture(scope="session")
def with_espeak(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with an `espeak-ng` on its PATH that speaks the packaged library."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "espeak-ng"
    data = Path(espeakng_loader.get_data_path()).parent
    # Isolated and without site-packages: Python is up in 15 ms.
    words = [sys.executable, "-I", "-S", espeak_program.__file__, espeakng_loader.get_library_path(), str(data)]
    command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def with_segmenter(with_espeak: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same, with a small model for the Chinese word segmenter where it looks for its own."""
    home = tmp_path_factory.mktemp("pkuseg")
    run_module("tests.loader.text.segmenter", home)
    return {**with_espeak, "PKUSEG_HOME": str(home)}


@pytest.fixture(scope="session")
def text_sides(with_segmenter: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for every voice of tests.loader.text.text_voices, with what a bake keeps of its text handling."""
    folder = tmp_path_factory.mktemp("text")
    run_module("tests.loader.text.text_voices", "bake", folder, env=with_segmenter)
    return folder


@pytest.fixture(scope="session")
def open_text_side(text_sides: Path, espeak: Espeak):
    """Open one of them as a server does; each once."""
    opened: dict[str, TextFrontEnd] = {}

    def open_side(name: str) -> TextFrontEnd:
        if name not in opened:
            opened[name] = open_folder(text_sides / name, espeak)
        return opened[name]

    return open_side


def open_folder(folder: Path, espeak: Espeak) -> TextFrontEnd:
    """Open a baked text side."""
    facts = TextFacts(**json.loads((folder / "facts.json").read_text(encoding="utf-8")))
    return TextFrontEnd(facts, list(facts.phonemizers) or ["en"], files_of(folder), espeak)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a baked text side by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
