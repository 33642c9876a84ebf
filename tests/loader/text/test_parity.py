"""Our ids are those of Coqui's own tokenizer, which calls an `espeak-ng` command of the same version."""

import dataclasses
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import espeakng_loader
import pytest

from loader.text.front_end import TextFrontEnd
from tests.loader.children import PATIENCE_S, ROOT
from tests.loader.text import espeak_program
from tests.loader.text.corpus import CORPUS, LANGUAGES


@pytest.fixture(scope="session")
def espeak_folder(tmp_path_factory):
    """A folder to put on the PATH, with an `espeak-ng` in it that speaks the packaged library."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "espeak-ng"
    data = Path(espeakng_loader.get_data_path()).parent
    # Isolated and without site-packages: Python is up in 15 ms.
    words = [sys.executable, "-I", "-S", espeak_program.__file__, espeakng_loader.get_library_path(), str(data)]
    command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def coqui(embedded_release, espeak_folder):
    """What Coqui makes of the corpus, and of a few texts in other languages."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.loader.text.coqui_ids", embedded_release / "config.json"],
        cwd=ROOT, env={**os.environ, "PATH": f"{espeak_folder}:{os.environ['PATH']}"},
        input=json.dumps({"texts": CORPUS, "languages": LANGUAGES}),
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def our_ids(front_end, text):
    return front_end.ids(front_end.phonemes(front_end.clean(text, "en-us"), "en-us"))


def test_coqui_uses_its_own_phonemizer_and_our_version_of_espeak(coqui):
    assert coqui["is_coquis"], coqui["phonemizer"]
    assert "1.52.0" == coqui["espeak"]


def test_the_corpus_has_no_text_twice():
    assert len(CORPUS) == len(set(CORPUS))


def test_every_text_gets_coquis_ids(coqui, front_end):
    differing = [text for text, ids in zip(CORPUS, coqui["ids"], strict=True) if our_ids(front_end, text) != ids]

    assert [] == differing


def test_what_was_said_before_changes_nothing(coqui, front_end):
    backwards = [our_ids(front_end, text) for text in reversed(CORPUS)]

    assert coqui["ids"] == backwards[::-1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_languages_get_coquis_phonemes(coqui, opened_embedded, espeak, language):
    facts = dataclasses.replace(opened_embedded.manifest.text, phonemizers={language: ("espeak", language)})
    front_end = TextFrontEnd(facts, [language], opened_embedded.buffers, espeak)

    assert coqui["phonemes"][language] == [front_end.phonemes(text, language) for text in LANGUAGES[language]]
