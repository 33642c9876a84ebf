"""loader.bake.graphs.reach: the margin covers the receptive field."""

import pytest

from tests.loader.children import answer_of

REACH = """
    import json, sys
    from pathlib import Path
    from loader.engines.compat.coqui_package import import_coqui
    import_coqui()
    import torch
    from loader.bake.graphs.reach import vits_facts
    from loader.bake.vits import load_vits
    from loader.bake.vits_network import network_of
    from loader.releases.release import open_release

    vits = load_vits(open_release(Path(sys.argv[1])))
    margin, frame = vits_facts(network_of(vits, Path("unused"))).margin_frames, 1
    decoder = vits.waveform_decoder.double()
    for rate in vits.args.upsample_rates_decoder:
        frame *= rate
    middle, length = 40, 81
    earliest, latest = length * frame, 0
    with torch.inference_mode():
        # Leaky units pass every change on; several tries so that none is hidden by chance.
        for seed in range(3):
            torch.manual_seed(seed)
            latent = torch.randn(1, vits.args.hidden_channels, length, dtype=torch.float64)
            other = latent.clone()
            other[:, :, middle] += torch.randn(vits.args.hidden_channels, dtype=torch.float64)
            changed = (decoder(latent) != decoder(other)).flatten().nonzero().flatten()
            earliest, latest = min(earliest, int(changed[0])), max(latest, int(changed[-1]))
    print(json.dumps([margin, (middle * frame - earliest) / frame, (latest + 1 - (middle + 1) * frame) / frame]))
"""


@pytest.mark.parametrize("fixture", ["tiny_release", "joe_coqui_release"])
def test_the_margin_covers_the_receptive_field(request, fixture):
    margin, before, after = answer_of(REACH, request.getfixturevalue(fixture))

    assert margin - 2 <= max(before, after) <= margin, "margin too small, or larger than needed"
