"""loader.bake.vits: a checkpoint that fits its configuration is loaded completely; any other is refused in one line."""

import shutil
from pathlib import Path

import pytest

from tests.loader.bake.damaged import configure, damage_weights, errors_of_loading, set_keys

CHECKPOINTS = {
    "missing": ("for key in [key for key in weights if key.startswith('flow.')]: del weights[key]",
                "missing weights: flow.flows.0."),
    "one missing": ("del weights['flow.flows.0.pre.weight']",
                    "missing weights: flow.flows.0.pre.weight; unexpected weights: none"),
    "other shape": ("weights['text_encoder.emb.weight'] = torch.zeros(3, 3)",
                    "text_encoder.emb.weight is 3 x 3, and 132 x 32 by the configuration; take the config.json"),
    "one character more": ("weights['text_encoder.emb.weight'] = torch.zeros(133, 32)",
                           "text_encoder.emb.weight has 133 rows, and the configuration has 132 characters; take the list of"),
    "unexpected": ("weights['emb_g.weight'] = torch.zeros(3, 3)", "unexpected weights: emb_g.weight"),
    "a number": ("weights = 5", "a file without weights: it has model; expected an entry 'model', or tensors by name"),
    "a list": ("weights = [torch.zeros(2)]", "a file without weights"),
    "numbered": ("weights = {1: 2}", "a file without weights"),
}  # fmt: skip

#: Tensors have the names of the checkpoint; tensors for training only may hold any value.
NOT_FINITE = {
    "nan": ("weights['text_encoder.emb.weight'][3, 5] = float('nan')", "values of 'text_encoder.emb.weight'"),
    "inf": ("weights['flow.flows.0.pre.bias'][0] = float('inf')", "found 1 of 32 values of 'flow.flows.0.pre.bias'"),
    "no direction": ("weights['flow.flows.0.enc.in_layers.0.parametrizations.weight.original1'].zero_()",
                     "values of 'flow.flows.0.enc.in_layers.0.weight' that are NaN or infinite"),
    "training": ("[each.fill_(float('nan')) for name, each in weights.items() if name.startswith('posterior_encoder.')]", None),
}  # fmt: skip

CONFIGURATIONS = {
    "speakers": (set_keys(model_args__use_speaker_embedding=True, model_args__num_speakers=4), 70,
                 "Coqui cannot build it: No SpeakerManager provided"),
    "d-vectors": (set_keys(model_args__use_d_vector_file=True, model_args__d_vector_dim=16), 70,
                  "a voice of several speakers, and no file of the release names them"),
    "languages": (set_keys(model_args__use_language_embedding=True), 70, "its weights do not fit config.json"),
    "two rates": (set_keys(model_args__encoder_sample_rate=11025, model_args__interpolate_z=True), 69,
                  "model_args.encoder_sample_rate is set; this version speaks VITS voices of one sample rate"),
    "phonemizer": (set_keys(phonemizer="no_such_phonemizer"), 70, "Coqui cannot build it"),
    "cleaner": (set_keys(text_cleaner="no_such_cleaner"), 70, "has no attribute 'no_such_cleaner'"),
    "language": (set_keys(phoneme_language="xx-nowhere"), 69, "espeak-ng has no language 'xx-nowhere'"),
    "extra key": (set_keys(colour="red"), None, ""),
    "speaker encoder": (set_keys(model_args__speaker_encoder_model_path="/home/trainer/se.pth",
                                 model_args__speaker_encoder_config_path="/home/trainer/se.json"), None, ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def refusals(tiny_release, tmp_path_factory):
    """The errors of the bake for all foreign checkpoints and configurations, tried in one child."""
    base = tmp_path_factory.mktemp("foreign")
    damage_weights({
        Path(shutil.copytree(tiny_release, base / name)): content for name, (content, _) in {**CHECKPOINTS, **NOT_FINITE}.items()
    })  # fmt: skip
    for name, (change, _, _) in CONFIGURATIONS.items():
        configure(Path(shutil.copytree(tiny_release, base / name)), change)
    return base, errors_of_loading(base)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_foreign_checkpoint_is_refused(refusals, name):
    base, errors = refusals
    status, message = errors[name]

    assert 70 == status
    assert message.startswith(f"{base / name / 'model_file.pth'}: ")
    assert CHECKPOINTS[name][1] in message
    assert "\n" not in message and len(message) < 700


@pytest.mark.parametrize("name", NOT_FINITE)
def test_weights_that_are_not_finite_are_refused_by_name_if_speech_uses_them(refusals, name):
    base, errors = refusals
    expected = NOT_FINITE[name][1]
    if expected is None:
        assert errors[name] is None
        return
    status, message = errors[name]

    assert 65 == status
    assert message.startswith(f"{base / name / 'model_file.pth'}: expected finite weights, found ")
    assert expected in message and message.endswith("; train it again, or fetch an intact release")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_unsupported_configuration_is_refused(refusals, name):
    base, errors = refusals
    _, expected_status, expected = CONFIGURATIONS[name]
    if expected_status is None:
        assert errors[name] is None
        return
    status, message = errors[name]

    assert expected_status == status
    assert expected in message
    assert "\n" not in message
