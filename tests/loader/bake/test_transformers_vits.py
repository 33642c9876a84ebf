"""A VITS of Hugging Face's transformers speaks as transformers itself, or is refused with the way round."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.loader.bake.loose import Case, seal, speak_ours, speak_theirs
from tests.loader.bake.speech import MIN_DECIBELS, decibels
from tests.loader.children import ROOT

KINDS = {"one speaker": 1, "three speakers": 3}


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Our speech and that of transformers for every kind, and our errors for changed copies."""
    base = tmp_path_factory.mktemp("transformers")
    ours, theirs = [], []
    for name, speakers in KINDS.items():
        source, directory = base / f"{speakers}", base / f"{speakers}-sealed"
        subprocess.run(
            [sys.executable, "-m", "tests.support.transformers_checkpoint", source, str(speakers)], cwd=ROOT, check=True,
            capture_output=True,
        )  # fmt: skip
        shutil.copytree(source, directory)
        seal(directory)
        speaker = "2" if speakers > 1 else None
        ours.append(Case(name, str(directory), "pytorch", speaker))
        theirs.append(Case(name, str(source), "pytorch", speaker))
    for name, change in REFUSED.items():
        directory = shutil.copytree(base / "1-sealed", base / name)
        change(directory)
        seal(directory)
        ours.append(Case(name, str(directory)))
    return speak_ours(ours, base / "ours.npz"), speak_theirs(theirs, base / "theirs.npz")


def configured(**keys):
    def changed(directory):
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | keys))

    return changed


REFUSED = {
    "plain durations": configured(use_stochastic_duration_prediction=False),
    "other layers": configured(num_hidden_layers=3),
    "no vocabulary": lambda directory: (directory / "vocab.json").unlink(),
    "broken vocabulary": lambda directory: (directory / "vocab.json").write_text("[]"),
}
REASONS = {
    "plain durations": "use_stochastic_duration_prediction is False, and this version reads such voices with True; take",
    "other layers": "missing weights: text_encoder.encoder.attn_layers.2.",
    "no vocabulary": "a VITS of transformers without vocab.json; add it and seal again",
    "broken vocabulary": "vocab.json: not a vocabulary",
}


@pytest.mark.parametrize("name", KINDS)
def test_the_ids_and_samples_are_those_of_transformers(heard, name):
    ours, theirs = heard[0][name], heard[1][name]

    assert ours.error is None
    assert theirs.ids == ours.ids
    assert theirs.samples.size == ours.samples.size > 5_000
    assert decibels(theirs.samples, ours.samples) >= MIN_DECIBELS


def test_speakers_without_names_are_numbered(heard):
    assert [] == heard[0]["one speaker"].speakers
    assert ["0", "1", "2"] == heard[0]["three speakers"].speakers


@pytest.mark.parametrize("name", REFUSED)
def test_a_variant_without_a_place_in_coquis_network_is_refused(heard, name):
    assert REASONS[name] in heard[0][name].error
