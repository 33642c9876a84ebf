"""loader.bake.decoder: the rewritten layers compute the same, and the margin covers the receptive field."""

import pytest

from tests.loader.children import answer_of

REACH = """
    import json, sys
    from pathlib import Path
    from loader.engines.compat.coqui_package import import_coqui
    import_coqui()
    import torch
    from loader.bake.decoder import decoder_margin_frames
    from loader.bake.vits import load_vits
    from loader.releases.release import open_release

    vits = load_vits(open_release(Path(sys.argv[1])))
    decoder = vits.waveform_decoder.double()
    margin, frame = decoder_margin_frames(vits.args), 1
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


@pytest.mark.parametrize("fixture", ["tiny_release", "embedded_release"])
def test_the_margin_covers_the_receptive_field(request, fixture):
    margin, before, after = answer_of(REACH, request.getfixturevalue(fixture))

    assert margin - 2 <= max(before, after) <= margin, "margin too small, or larger than needed"


UPSAMPLING = """
    import json
    import torch
    from torch import nn
    from loader.bake.decoder import UpsamplingConv

    errors = {}
    for kernel, stride, padding in [
        (16, 8, 4), (4, 2, 1), (8, 4, 2), (5, 3, 1), (3, 2, 0), (7, 4, 1), (16, 5, 5), (11, 5, 3), (10, 5, 0),
        (2, 2, 0), (3, 3, 0), (6, 2, 2), (7, 1, 3), (2, 3, 0), (3, 4, 0),
    ]:
        for length in (1, 2, 7, 50):
            torch.manual_seed(kernel * 100 + length)
            transposed = nn.ConvTranspose1d(6, 4, kernel, stride, padding).double()
            x = torch.randn(1, 6, length, dtype=torch.float64)
            with torch.inference_mode():
                expected = transposed(x) if (length - 1) * stride - 2 * padding + kernel > 0 else None
                if expected is None:
                    continue
                found = UpsamplingConv(transposed)(x.unsqueeze(2)).squeeze(2)
            name = f"{kernel}/{stride}/{padding} over {length}"
            errors[name] = float((expected - found).abs().max()) if expected.shape == found.shape else str(found.shape)
    print(json.dumps(errors))
"""


def test_the_rewritten_upsampling_is_the_transposed_convolution():
    errors = answer_of(UPSAMPLING)

    assert len(errors) > 50
    assert {} == {name: error for name, error in errors.items() if isinstance(error, str) or error > 1e-12}


def test_the_rewritten_decoder_is_coquis_decoder(tiny_release):
    """In double precision, so that the only rounding left is that of the weights, which were divided in single precision."""
    error = answer_of("""
        import copy, json, sys
        from pathlib import Path
        from loader.engines.compat.coqui_package import import_coqui
        import_coqui()
        import torch
        from loader.bake.decoder import Decode
        from loader.bake.vits import load_vits
        from loader.releases.release import open_release
        model = load_vits(open_release(Path(sys.argv[1])))
        own = copy.deepcopy(model.waveform_decoder).double()
        rewritten = Decode(model).double()
        errors = []
        with torch.inference_mode():
            for frames in (1, 2, 31):
                torch.manual_seed(frames)
                latent = torch.randn(1, model.args.hidden_channels, frames, dtype=torch.float64)
                errors.append(float((own(latent).flatten() - rewritten(latent, None, torch.tensor([0, frames]))).abs().max()))
        print(json.dumps(max(errors)))
        """, tiny_release)

    assert error < 1e-8
