"""The front end of the embedded voice as Coqui has it, and front ends of many languages, opened once for all tests."""

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
    """The espeak-ng of this process."""
    return Espeak()


@pytest.fixture(scope="session")
def front_end(opened_joe_coqui: Artifact, espeak: Espeak) -> TextFrontEnd:
    """The front end of the embedded voice as Coqui has it."""
    manifest = opened_joe_coqui.manifest
    return TextFrontEnd(manifest.text, manifest.voice.languages, opened_joe_coqui.buffers, espeak)


@pytest.fixture(scope="session")
def with_espeak(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose PATH has an `espeak-ng` that uses the packaged library."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "espeak-ng"
    data = Path(espeakng_loader.get_data_path()).parent
    # Isolated and without site-packages, Python starts in 15 ms.
    words = [sys.executable, "-I", "-S", espeak_program.__file__, espeakng_loader.get_library_path(), str(data)]
    command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def with_segmenter(with_espeak: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same environment, with a small model of the Chinese word segmenter in its home."""
    home = tmp_path_factory.mktemp("pkuseg")
    run_module("tests.loader.text.segmenter", home)
    return {**with_espeak, "PKUSEG_HOME": str(home)}


@pytest.fixture(scope="session")
def baked_front_ends(with_segmenter: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each voice of tests.loader.text.text_voices, with the text files that a bake writes."""
    folder = tmp_path_factory.mktemp("text")
    run_module("tests.loader.text.text_voices", "bake", folder, env=with_segmenter)
    return folder


@pytest.fixture(scope="session")
def open_front_end(baked_front_ends: Path, espeak: Espeak):
    """Open one of them as a server does, once each."""
    opened: dict[str, TextFrontEnd] = {}

    def open_named(name: str) -> TextFrontEnd:
        if name not in opened:
            opened[name] = open_baked_front_end(baked_front_ends / name, espeak)
        return opened[name]

    return open_named


def open_baked_front_end(folder: Path, espeak: Espeak) -> TextFrontEnd:
    """Open the front end in a baked folder."""
    facts = TextFacts(**json.loads((folder / "facts.json").read_text(encoding="utf-8")))
    return TextFrontEnd(facts, list(facts.phonemizers) or ["en"], files_of(folder), espeak)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a baked front end by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
