"""A voice of several phonemizers, from a Coqui checkpoint to samples; and its bake without a required package."""

import subprocess
import sys

import numpy as np
import pytest

from loader.artifacts.artifact import open_artifact
from loader.config.settings import SpeechSettings, VoiceSettings
from loader.engines import onnx
from loader.text.espeak import Espeak
from loader.voices.opening import open_parts
from loader.voices.parts import VoiceParts
from loader.voices.voice import SpeechOptions, Voice
from tests.loader.children import ROOT, TIMEOUT_S
from tests.loader.conftest import with_espeak, with_segmenter  # noqa: F401  its fixtures
from tests.loader.text.programs import run_module
from tests.loader.text.text_voices import voices

TEXTS = voices()["several phonemizers"]["texts"]
SPEECH = SpeechSettings(sentence_pause_s=0.0, length_scale=None, noise_scale=None, noise_scale_duration=None)


@pytest.fixture(scope="session")
def release(with_segmenter, tmp_path_factory):  # noqa: F811
    """A small random voice of five languages."""
    directory = tmp_path_factory.mktemp("several")
    run_module("tests.loader.text.several_release", directory, env=with_segmenter)
    return directory


def bake(release, target, environment):
    return subprocess.run(
        [sys.executable, "-m", "loader.bake", "voice", release, target, "onnx"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def voice(release, with_segmenter, tmp_path_factory):  # noqa: F811
    """The voice, baked and opened."""
    target = tmp_path_factory.mktemp("target")
    done = bake(release, target, with_segmenter)
    assert done.returncode == 0, done.stderr
    onnx.import_libraries()
    artifact = open_artifact(target)
    return Voice(
        VoiceSettings("several", str(release)), SPEECH, artifact.manifest, VoiceParts(lambda: open_parts(artifact, Espeak()))
    )


@pytest.mark.parametrize("language", TEXTS)
def test_a_voice_speaks_each_of_its_languages(voice, language):
    window = next(voice.speak(TEXTS[language][0], SpeechOptions(1, soon=True, language=voice.language_row(language))))

    assert window.size
    assert np.isfinite(window).all()


def test_languages_are_those_of_the_checkpoint_in_row_order(voice):
    assert list(reversed(TEXTS)) == list(voice.languages)


@pytest.mark.parametrize(("module", "extra"), [("fugashi", "ja"), ("ko_speech_tools", "ko"), ("pypinyin", "zh")])
def test_a_voice_is_not_baked_if_a_package_is_missing(release, with_segmenter, tmp_path, module, extra):  # noqa: F811
    hidden, target = tmp_path / "hidden", tmp_path / "target"
    hidden.mkdir()
    target.mkdir()
    # Python imports it at start, before anything can import the package.
    (hidden / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")

    done = bake(release, target, {**with_segmenter, "PYTHONPATH": str(hidden)})

    assert 69 == done.returncode, done.stderr
    assert f"pip install 'chorus-tts[{extra}]'" in done.stderr.splitlines()[-1]
    assert not (target / "manifest.json").exists()
