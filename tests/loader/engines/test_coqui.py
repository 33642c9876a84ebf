"""loader.engines.coqui: Coqui's own samples from mapped weights, in every family."""

import os
import subprocess
import sys

import pytest

from loader.artifacts.artifact import open_artifact
from tests.loader.children import ROOT, TIMEOUT_S, answer_of, run_program
from tests.support.family_checkpoints import FAMILIES, SPEAKERS, family_artifacts, family_releases

#: The modules with which numba unpickles its own compiled code. A checkpoint would need torch.
_NOT_CHECKPOINTS = {"builtins", "collections", "copyreg", "numba", "numpy"}
#: Families whose sound varies with a random number on request.
VARIED = {"glow_tts", "neuralhmm_tts", "overflow", "xtts"}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """A baked artifact of every family."""
    return family_artifacts(tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="module")
def found(artifacts):
    """The results of one process that spoke with every family: with our engine, in forks, and with Coqui's classes."""
    import json

    releases = family_releases()
    triples = [f"{family}={artifacts[family]}={releases[family]}" for family in FAMILIES]
    done = subprocess.run(
        [sys.executable, "-m", "tests.loader.engines.families", *triples], cwd=ROOT, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def voice(found, family):
    """The results of one family."""
    return found["families"][family]


def test_the_samples_are_those_of_coquis_own_classes(voice):
    assert voice["loudness"] > 1e-4
    assert voice["decibels"] >= 90, voice["decibels"]


def test_every_parameter_is_in_the_mapping(voice):
    assert [] == voice["elsewhere"]


def test_forked_workers_make_the_same_samples_and_own_no_copy_of_the_weights(voice):
    assert 4 == len(voice["forks"])
    assert {voice["digest"]} == {fork["digest"] for fork in voice["forks"]}
    for fork in voice["forks"]:
        assert [] == fork["elsewhere"]
        assert fork["mapped_bytes"] >= voice["weights_bytes"]
        assert 0 == fork["mapped_dirty_bytes"]


def test_workers_own_less_memory_than_the_weights_of_a_large_voice(found):
    tacotron = found["families"]["tacotron2"]

    assert tacotron["weights_bytes"] > 100e6
    assert max(fork["dirty_bytes"] for fork in tacotron["forks"]) < tacotron["weights_bytes"] / 2


def test_a_seed_gives_the_same_samples_again(voice):
    assert voice["again"]


def test_half_the_speed_takes_about_twice_as_long(voice):
    assert 1.7 < voice["slower"] < 2.3


def test_the_noise_scale_of_a_request_has_an_effect_in_families_that_support_it(voice, family):
    assert (family in VARIED) == voice["without_noise"]


def test_every_speaker_has_other_samples(voice, family):
    expected = {"glow_tts": len(SPEAKERS), "fast_pitch": len(SPEAKERS), "xtts": 2}.get(family, 1)

    assert expected == voice["speakers"]


def test_a_copy_for_another_device_makes_the_same_samples(voice):
    assert voice["copied"]


def test_opening_and_speaking_start_no_thread_and_building_draws_no_random_numbers(found, voice):
    assert 1 == found["threads_imported"] == voice["threads_opened"] == voice["threads_spoken"]
    assert not voice["drawn"]


def test_nothing_is_unpickled_except_numbas_own_cache(found):
    assert set(found["unpickled"]) <= _NOT_CHECKPOINTS


def test_the_manifest_has_the_speakers_and_the_sample_rate(artifacts):
    facts = {family: open_artifact(path).manifest.voice for family, path in artifacts.items()}

    assert {"glow_tts", "fast_pitch"} == {name for name, each in facts.items() if list(SPEAKERS) == list(each.speakers)}
    assert ["ana", "tone"] == list(facts["xtts"].speakers)
    assert ["en", "de", "zh-cn"] == list(facts["xtts"].languages)
    rates = {"fastspeech2": 24000, "xtts": 24000}
    assert {name: rates.get(name, 22050) for name in facts} == {name: each.sample_rate_hz for name, each in facts.items()}


def test_no_artifact_contains_a_pickle_or_a_path_of_another_machine(artifacts):
    for path in artifacts.values():
        assert {".json", ".safetensors"} == {each.suffix for each in path.iterdir() if each.suffix != ".py"}
        for each in path.glob("*config.json"):
            assert "/home/" not in each.read_text() and str(ROOT) not in each.read_text()


def test_durations_beyond_any_memory_are_refused_before_allocation(artifacts):
    said = answer_of(
        """
        import json, os, sys
        from pathlib import Path
        from loader.artifacts.artifact import open_artifact
        from loader.engines import coqui
        from loader.engines.base import Prosody, Utterance
        from tests.loader.engines.speaking import windows_of
        from loader.errors import SynthesisError
        import numpy as np
        coqui.import_libraries()
        import torch
        said = {}
        for path in sys.argv[1:]:
            engine = coqui.open_engine(open_artifact(Path(path)))
            [predictor] = [m for name, m in engine.model.model.named_modules() if name.endswith("duration_predictor")]
            for bias in (30.0, float("nan")):
                predictor.register_forward_hook(lambda module, inputs, output, bias=bias: output + bias)
                try:
                    windows_of(engine, Utterance([5, 6, 7] * 9, Prosody(1.0, 0.0, 0.0)), np.random.default_rng(1))
                except SynthesisError as error:
                    said.setdefault(Path(path).name, []).append(str(error))
                predictor._forward_hooks.clear()
        print(json.dumps(list(said.values())))
        """,
        artifacts["glow_tts"], artifacts["fastspeech2"],
    )  # fmt: skip

    assert [2, 2] == [len(errors) for errors in said]
    assert all("the duration predictor returned" in error and "limit 17226" in error for errors in said for error in errors)


def test_a_decoder_that_does_not_stop_is_cut_and_logged(artifacts):
    done = run_program(
        """
        import logging, sys
        from pathlib import Path
        logging.basicConfig()
        from loader.artifacts.artifact import open_artifact
        from loader.engines import coqui
        from loader.engines.base import Prosody, Utterance
        from tests.loader.engines.speaking import windows_of
        import numpy as np
        engine = coqui.open_engine(open_artifact(Path(sys.argv[1])))
        samples = windows_of(engine, Utterance([5, 6, 7] * 9, Prosody(1.0, 0.0, 0.0)), np.random.default_rng(1))
        print(sum(map(len, samples)))
        """,
        artifacts["tacotron2"],
    )

    assert 0 == done.returncode, done.stderr[-2000:]
    assert 60 * 256 <= int(done.stdout) <= 70 * 256 + 2560
    assert "an utterance was cut after 60 frames: the model did not end it" in done.stderr


def test_xtts_tokenizes_as_coqui_does_in_pieces_that_fit_its_model(artifacts):
    found = answer_of(
        """
        import json, sys
        from pathlib import Path
        from loader.artifacts.artifact import open_artifact
        from loader.engines import coqui
        artifact = open_artifact(Path(sys.argv[1]))
        front_end = coqui.front_end(artifact)
        from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
        native = VoiceBpeTokenizer(str(Path(sys.argv[1]) / "vocab.json"))
        texts = {"en": "Dr. Smith paid $3.50 on the 2nd, twice.", "de": "Ein Satz mit 21 Zahlen!", "zh-cn": "\u4f60\u597d 3"}
        long = "many of one, " * 200
        print(json.dumps({
            "same": [
                [each.ids for each in front_end.utterances(t, l)] == [native.encode(t.lower(), lang=l)] for l, t in texts.items()
            ],
            "pieces": [len(each.ids) for each in front_end.utterances(long, "en")],
            "words": sum(len(each.ids) for each in front_end.utterances(long, "en")),
            "no break": [len(each.ids) for each in front_end.utterances("q" * 3000, "en")],
            "silent": [each for each in front_end.utterances("... !", "en") if each],
        }))
        """,
        artifacts["xtts"],
    )

    assert [True, True, True] == found["same"]
    assert 10 < len(found["pieces"]) and max(found["pieces"]) <= 401 and max(found["no break"]) <= 401
    assert [] == found["silent"]


@pytest.mark.parametrize("family_with_wide_kernels", ["fast_pitch", "speedy_speech", "align_tts"])
def test_a_text_of_one_letter_is_spoken_though_coqui_fails_on_it(artifacts, family_with_wide_kernels):
    sizes = answer_of("""
        import json, sys
        from pathlib import Path
        import numpy as np
        from loader.artifacts.artifact import open_artifact
        from loader.engines import coqui
        from loader.engines.base import Prosody, Utterance
        from tests.loader.engines.speaking import windows_of
        engine = coqui.open_engine(open_artifact(Path(sys.argv[1])))
        def samples(ids):
            random = np.random.Generator(np.random.Philox(key=[1, 0]))
            return np.concatenate(windows_of(engine, Utterance(ids, Prosody(1.0, 0.667, 0.8)), random))
        print(json.dumps([samples([5] * count).size for count in (1, 16)]))
        """, artifacts[family_with_wide_kernels])

    assert sizes[0] == sizes[1] > 1000
