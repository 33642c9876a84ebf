"""ops.benchmarks.coqui_joe: a Coqui model directory that Coqui itself can load and use."""

import numpy as np
import pytest

from loader.releases.release import open_release
from ops.benchmarks.coqui_joe import VERSION
from tests.loader.children import answer_of


@pytest.fixture(scope="module")
def spoken(joe_coqui_release, tmp_path_factory):
    """Coqui's output for the embedded voice: its own reader, strict `load_checkpoint` and synthesis."""
    output = tmp_path_factory.mktemp("coqui") / "spoken.npy"
    answer = answer_of("""
        import json, sys
        from loader.engines.compat.coqui_package import import_coqui
        import_coqui()
        import numpy as np
        import torch
        from TTS.config import load_config
        from TTS.tts.models.vits import Vits
        release, output = sys.argv[1:]
        config = load_config(f"{release}/config.json")
        model = Vits.init_from_config(config)
        model.load_checkpoint(config, f"{release}/model_file.pth", eval=True, strict=True)
        torch.manual_seed(1)
        ids = torch.tensor([model.tokenizer.text_to_ids("Hello world, how are you today?")])
        with torch.inference_mode():
            np.save(output, model.inference(ids)["model_outputs"][0, 0].numpy())
        state = torch.load(f"{release}/model_file.pth", weights_only=True)["model"]
        print(json.dumps({
            "rate": config.audio.sample_rate,
            "keys": [len(state), len(set(state) ^ set(model.state_dict()))],
            "untrained": sorted(key for key, value in state.items() if value.is_floating_point() and not value.any()),
        }))
        """, joe_coqui_release, output)
    return answer, np.load(output)


def test_the_files_match_the_release(joe_coqui_release):
    release = open_release(joe_coqui_release, VERSION)

    assert {"config.json", "model_file.pth"} == set(release.hashes)


def test_coqui_loads_every_weight_strictly(spoken):
    count, differing = spoken[0]["keys"]

    assert count > 500
    assert 0 == differing


def test_coqui_speaks_with_it(spoken):
    answer, samples = spoken

    assert 22050 == answer["rate"]
    assert 1.0 < samples.size / answer["rate"] < 4.0
    assert 0.2 < np.abs(samples).max() <= 1.0
    assert np.sqrt(np.square(samples).mean()) > 0.02


def test_every_weight_needed_for_speech_is_set(spoken):
    """The posterior encoder and the `post_` half of the duration predictor are for training, and not in the package."""
    needed = [
        key for key in spoken[0]["untrained"]
        if not key.startswith(("posterior_encoder.", "duration_predictor.post_", "duration_predictor.flows.1."))
    ]  # fmt: skip

    assert [] == needed
