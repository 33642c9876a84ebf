"""Speech of Coqui and of a baked voice from the same ids and noise, and the difference between them.

`python -m tests.loader.bake.speech ARTIFACT OUTPUT` speaks the utterances of standard input. Both speak in
child processes, so that tests import neither torch nor TTS.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from loader.artifacts.artifact import open_artifact
from loader.engines.base import Prosody, Utterance
from tests.loader.children import ROOT, TIMEOUT_S
from tests.loader.engines.speaking import windows_of

SEED = 20
#: Floating-point sums in another order. Measured 102.7 dB (embedded voice) and 132.5 dB (random, LJSpeech size);
#: 60 dB would be inaudible, but one hundredth more noise in the random voice is 62.7 dB.
MIN_DECIBELS = 90.0


class Native(NamedTuple):
    """Coqui's speech, and the ids and noise that it was made from."""

    ids: list[int]
    samples: np.ndarray
    shapes: list[tuple[int, ...]]
    prosody: Prosody


class Speech(NamedTuple):
    """One utterance for our engine."""

    ids: list[int]
    #: Length scale, noise scale, noise scale of durations.
    prosody: tuple[float, float, float]
    speaker: int = 0
    language: int = 0
    soon: bool = False


def native_speech(release, output, choices=((None, None),)):
    """Have Coqui speak once for each pair of speaker and language."""
    _run("tests.loader.bake.native", release, str(SEED), output, json.dumps(choices))
    with np.load(output) as spoken:
        prosody = Prosody(*spoken["prosody"].tolist())
        return [
            Native(
                spoken[f"ids_{number}"].tolist(), spoken[f"samples_{number}"],
                [tuple(shape) for shape in spoken[f"shapes_{number}"].tolist()], prosody,
            )
            for number in range(len(choices))
        ]  # fmt: skip


def our_speech(artifact, output, speeches):
    """Have the artifact's engine speak every utterance; return their samples."""
    _run("tests.loader.bake.speech", artifact, output, stdin_text=json.dumps(speeches))
    with np.load(output) as spoken:
        return [spoken[f"samples_{number}"] for number in range(len(speeches))]


def decibels(reference, candidate):
    error = np.square(reference.astype(np.float64) - candidate).sum()
    return 10 * np.log10(np.square(reference.astype(np.float64)).sum() / error) if error else np.inf


def trained(facts):
    return facts.length_scale, facts.noise_scale, facts.noise_scale_duration


def _run(module, *arguments, stdin_text=""):
    words = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(words, cwd=ROOT, input=stdin_text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr


def _speak_all(directory, output, speeches):
    artifact = open_artifact(directory)
    engine = importlib.import_module(f"loader.engines.{artifact.manifest.engine}").open_engine(artifact)
    np.savez(output, **{f"samples_{number}": _speak(engine, Speech(*each)) for number, each in enumerate(speeches)})


def _speak(engine, speech):
    random = np.random.Generator(np.random.Philox(key=[SEED, 0]))
    utterance = Utterance(speech.ids, Prosody(*speech.prosody), speech.speaker, speech.language)
    return np.concatenate(windows_of(engine, utterance, random, speech.soon))


if __name__ == "__main__":
    _speak_all(Path(sys.argv[1]), Path(sys.argv[2]), json.load(sys.stdin))
