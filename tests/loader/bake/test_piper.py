"""loader.bake.piper: a Piper voice has the samples of Piper's own program for the same noise, and needs no torch."""

import json
import shutil
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import onnx
import pytest

from loader.artifacts.artifact import open_artifact
from loader.bake.piper_text import piper_voice_facts
from loader.releases.embedded import copy_embedded
from loader.releases.sealing import seal_release
from tests.loader.bake.damaged import error_line
from tests.loader.bake.speech import MIN_DECIBELS, SEED, Speech, decibels, our_speech, trained
from tests.loader.children import ROOT, TIMEOUT_S, answer_of
from tests.support.checkpoints import SPEAKERS
from tests.support.piper_voices import SHAPES

PHONEMES = "ðə kwˈɪk bɹˈaʊn fˈɑːks, dʒˈʌmps ˌoʊvɚ ðə lˈeɪzi dˈɑːɡ! ˈɪz ɪt? jˈɛs."
#: Beginning, three phonemes and the end: shorter than the distances that attention knows.
SHORT = "ˈɪt"
#: Rounding weighs more in a short utterance of a trained voice: 85 to 99 dB for words of one syllable; whole sentences of it
#: have 116 dB, and random voices 120 (measured 2026-11-30).
MIN_SHORT_DECIBELS = 80.0
#: Noise of durations that often leaves the range of the spline.
WILD = 4.0


class Asked(NamedTuple):
    """An utterance with Piper's samples and ours."""

    speech: Speech
    theirs: np.ndarray
    ours: np.ndarray


def bake(release, target, engine="onnx"):
    """Bake as the loader does, in a child."""
    target.mkdir()
    words = [sys.executable, "-m", "loader.bake", "voice", release, target, engine]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def piper_speech(release, output, speeches):
    """Have Piper's program speak every utterance; return their samples."""
    words = [sys.executable, "-m", "tests.loader.bake.piper_program", release, str(SEED), output]
    done = subprocess.run(
        words, cwd=ROOT, input=json.dumps(speeches), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(output) as spoken:
        return [spoken[f"samples_{number}"] for number in range(len(speeches))]


def description_of(release):
    (path,) = release.glob("*.onnx.json")
    return json.loads(path.read_text(encoding="utf-8"))


def ids_of(description, phonemes):
    """Return ids with pads between them, as Piper's program does."""
    rows = description["phoneme_id_map"]
    inner = [row for phoneme in phonemes for row in (*rows[phoneme], *rows["_"])]
    return [*rows["^"], *rows["_"], *inner, *rows["$"]]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """The release of the embedded voice."""
    directory = tmp_path_factory.mktemp("packaged")
    copy_embedded(directory)
    return directory


@pytest.fixture(scope="module", params=["packaged", *SHAPES])
def spoken(request, piper_release, tmp_path_factory):
    """Utterances by Piper's program and by our engine, and the artifact's manifest."""
    release = request.getfixturevalue("packaged") if request.param == "packaged" else piper_release(request.param)
    folder, description = tmp_path_factory.mktemp("spoken"), description_of(release)
    length, noise, duration = trained(piper_voice_facts(description))
    ids, rows = ids_of(description, PHONEMES), range(description.get("num_speakers", 1))
    speeches = [Speech(ids, (length, noise, duration), row) for row in rows]
    speeches.append(Speech(ids_of(description, SHORT), (length, noise, duration)))
    if not request.param.startswith("high"):  # minutes of audio, which such a voice takes minutes for; the predictor is the same
        speeches.append(Speech(ids, (length, noise, WILD)))
    done = bake(release, folder / "artifact")
    assert done.returncode == 0, done.stderr
    theirs = piper_speech(release, folder / "theirs.npz", speeches)
    ours = our_speech(folder / "artifact", folder / "ours.npz", speeches)
    asked = [Asked(*each) for each in zip(speeches, theirs, ours, strict=True)]
    return asked, open_artifact(folder / "artifact").manifest, description


def test_our_samples_are_those_of_pipers_program(spoken):
    for speech, theirs, ours in spoken[0]:
        assert theirs.size == ours.size > 0
        assert np.abs(ours).max() > 0.001, "silence proves nothing"
        figure = decibels(theirs, ours)
        bound = MIN_DECIBELS if len(speech.ids) > 20 else MIN_SHORT_DECIBELS
        assert figure >= bound, f"speaker {speech.speaker}, {len(speech.ids)} ids, {speech.prosody}: {figure:.1f} dB"


def test_another_speaker_gives_other_samples(spoken):
    by_speaker = {speech.speaker: ours for speech, _, ours in reversed(spoken[0])}

    first, *others = (by_speaker[row] for row in sorted(by_speaker))
    for other in others:
        size = min(first.size, other.size)
        assert decibels(first[:size], other[:size]) < MIN_DECIBELS - 30


def test_the_facts_are_those_of_the_description(spoken):
    _, manifest, description = spoken
    voice = manifest.voice

    assert (description["audio"]["sample_rate"], ["en-us"]) == (voice.sample_rate_hz, voice.languages)
    named = description.get("speaker_id_map") or {}
    assert sorted(named, key=named.__getitem__) == voice.speakers
    assert set(named) <= set(SPEAKERS)


def test_a_bake_imports_neither_torch_nor_coqui_nor_piper(packaged, tmp_path):
    loaded = answer_of("""
        import contextlib, json, sys
        from pathlib import Path
        from loader.bake.voice import bake_voice
        bake_voice(Path(sys.argv[1]), Path(sys.argv[2]), "onnx", lambda title: contextlib.nullcontext())
        print(json.dumps([name for name in ("torch", "TTS", "piper", "transformers", "scipy") if name in sys.modules]))
        """, packaged, tmp_path)

    assert [] == loaded


def operators_of(path):
    """Return a graph's operators; ONNX Runtime numbers and orders those that it adds by addresses in memory."""
    graph = onnx.load(path, load_external_data=False).graph
    return sorted(f"{node.op_type} {node.input} {node.output} {node.attribute}" for node in graph.node), graph.initializer


def test_two_bakes_write_the_same_weights_and_operators(packaged, tmp_path):
    for name in ("one", "other"):
        assert bake(packaged, tmp_path / name).returncode == 0

    for graph in ("encode", "flow", "decode"):
        one, other = (tmp_path / name / f"{graph}.onnx" for name in ("one", "other"))
        assert operators_of(one) == operators_of(other)
        assert one.with_suffix(".bin").read_bytes() == other.with_suffix(".bin").read_bytes()


def described(**keys):
    return lambda description: description.update(keys)


DESCRIPTIONS = {
    "no rate": (lambda description: description.pop("audio"), "missing required field `audio`"),
    "rate": (described(audio={"sample_rate": 12}), "audio.sample_rate is 12, limit 4000 to 192000 Hz"),
    "speakers": (described(num_speakers=7), "num_speakers is 7, and the graph knows 1; use the file of this voice"),
    "ids": (lambda description: description["phoneme_id_map"].update({"ʘ": [256]}), "phoneme_id_map['ʘ'] is 256"),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_of_another_voice_is_refused(piper_release, tmp_path, name):
    change, expected = DESCRIPTIONS[name]
    release = copy_of(piper_release("x_low"), tmp_path / "release")
    description = description_of(release)
    change(description)
    (release / "voice.onnx.json").write_text(json.dumps(description), encoding="utf-8")
    seal_release(release, "1", ["voice.onnx", "voice.onnx.json"])

    done = bake(release, tmp_path / "target")

    assert 70 == done.returncode, done.stderr
    assert expected in error_line(done)
    assert "Traceback" not in done.stderr


def copy_of(release, target):
    target.mkdir()
    for name in ("voice.onnx", "voice.onnx.json"):
        shutil.copyfile(release / name, target / name)
    return target
