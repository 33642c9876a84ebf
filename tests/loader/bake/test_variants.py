"""Every kind of VITS: several speakers, several languages, characters, deterministic durations, directories of fairseq."""

import itertools

import numpy as np
import pytest

from loader.artifacts import resolve
from loader.artifacts.artifact import open_artifact
from loader.text.espeak import Espeak
from loader.voices.opening import open_parts
from tests.loader.bake.native import TEXT
from tests.loader.bake.speech import MIN_DECIBELS, Speech, decibels, native_speech, our_speech, trained
from tests.loader.bake.test_parity import ENGINES
from tests.support.checkpoints import LANGUAGES, MMS, SPEAKERS

#: Speakers and languages of each variant; None if there is nothing to choose.
NOBODY = [None]
CHOICES = {
    "speakers": (SPEAKERS, NOBODY),
    "dvectors": (SPEAKERS, NOBODY),
    "yourtts": (SPEAKERS, LANGUAGES),
    "languages": (SPEAKERS, LANGUAGES),
    "graphemes": (NOBODY, NOBODY),
    "dp": (SPEAKERS, LANGUAGES),
    MMS: (NOBODY, NOBODY),
}


def every_choice_once(speakers, languages):
    """Return all speakers in one language, and one speaker in all other languages."""
    return [(speaker, languages[0]) for speaker in speakers] + [(speakers[0], language) for language in languages[1:]]


@pytest.fixture(scope="module", params=CHOICES)
def native(request, release_of, tmp_path_factory):
    """A variant's release, its choices, and Coqui's speech for each choice."""
    release = release_of(request.param)
    choices = every_choice_once(*map(list, CHOICES[request.param]))
    spoken = native_speech(release, tmp_path_factory.mktemp("native") / "spoken.npz", choices)
    return release, dict(zip(choices, spoken, strict=True))


@pytest.fixture(scope="module", params=ENGINES)
def variant(request, native, tmp_path_factory):
    """Coqui's speech, our engine's speech, and our artifact, baked by the current code."""
    release, spoken = native
    target = tmp_path_factory.mktemp(request.param)
    resolve.run_bake("voice", release, target, request.param)
    facts = open_artifact(target).manifest.voice
    asked = [
        Speech(
            theirs.ids, trained(facts),
            0 if speaker is None else list(facts.speakers).index(speaker),
            0 if language is None else list(facts.languages).index(language),
        )
        for (speaker, language), theirs in spoken.items()
    ]  # fmt: skip
    ours = our_speech(target, tmp_path_factory.mktemp("ours") / "spoken.npz", asked)
    return spoken, dict(zip(spoken, ours, strict=True)), target


def test_our_samples_are_those_of_coqui_for_every_speaker_and_language(variant):
    native, ours, _ = variant

    assert native.keys() == ours.keys()
    for choice, theirs in native.items():
        assert theirs.samples.size == ours[choice].size > 5_000
        assert np.abs(ours[choice]).max() > 0.001, "silence proves nothing"
        figure = decibels(theirs.samples, ours[choice])
        assert figure >= MIN_DECIBELS, f"{choice}: {figure:.1f} dB"


def test_another_speaker_or_language_gives_other_samples(variant):
    """By far more than the tolerance of the test above."""
    _, ours, _ = variant

    if len(ours) == 1:
        pytest.skip("the voice has one speaker")
    for one, other in itertools.combinations(ours.values(), 2):
        size = min(one.size, other.size)
        assert decibels(one[:size], other[:size]) < MIN_DECIBELS - 30


def test_our_ids_are_those_of_coqui(variant):
    native, _, directory = variant
    artifact = open_artifact(directory)
    if artifact.manifest.engine != "onnx":
        pytest.skip("the same text facts in every engine's artifact; opening this one would import torch here")
    front_end = open_parts(artifact, Espeak()).front_end

    for (_speaker, language), theirs in native.items():
        named = language or artifact.manifest.voice.languages[0]
        assert [theirs.ids] == [reading.ids for reading in front_end.utterances(TEXT, named)]


def test_speakers_and_languages_are_those_of_the_source_files(variant):
    native, _, directory = variant
    facts = open_artifact(directory).manifest.voice

    assert {speaker for speaker, _ in native} - {None} == set(facts.speakers)
    assert {language for _, language in native} - {None} <= set(facts.languages)
    assert len(facts.languages) == len({language for _, language in native})
