"""loader.engines.pytorch.hifigan: Coqui's samples with another memory layout, and without copies of weights."""

import pytest

from tests.loader.children import answer_of

#: Coqui's generator with random weights beside ours, in double precision, so that rounding is negligible.
BESIDE = """
    import json, os, sys
    os.environ.update(OMP_NUM_THREADS="1")
    from loader.engines.compat.coqui_package import import_coqui
    import_coqui()
    import torch
    from TTS.vocoder.models.hifigan_generator import HifiganGenerator
    from torch.nn.utils import parametrize
    from loader.engines.pytorch.hifigan import Decoder, layers_of, weights_of
    from loader.engines.weights import assign

    def coquis(speaker, kind, upsamplings, blocks):
        generator = HifiganGenerator(
            6, 1, kind, [dilations for _, dilations in blocks], [kernel for kernel, _ in blocks],
            [kernel for kernel, _ in upsamplings], 32, [stride for _, stride in upsamplings], cond_channels=speaker,
            inference_padding=0, conv_pre_weight_norm=False, conv_post_weight_norm=False, conv_post_bias=False,
        ).double()
        for module in generator.modules():
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")
        with torch.no_grad():
            for parameter in generator.parameters():
                parameter.normal_(std=0.3)
        return generator

    def beside(speaker, kind, upsamplings, blocks):
        generator = coquis(speaker, kind, upsamplings, blocks)
        decoder = Decoder(**json.loads(json.dumps(layers_of(generator))))
        assign(decoder, weights_of(generator))
        return generator, decoder
"""

#: Kernels and strides of the upsamplings, then kernels and dilations of the blocks; type 2 ignores the third dilation.
SHAPES = {
    "large": ([(16, 8), (16, 8), (4, 2), (4, 2)], [(3, [1, 3, 5]), (7, [1, 3, 5]), (11, [1, 3, 5])]),
    "small": ([(16, 8), (16, 8), (8, 4)], [(3, [1, 2, 3]), (5, [2, 6, 3]), (7, [3, 12, 3])]),
    "uneven": ([(11, 5), (7, 3)], [(3, [1, 3, 2])]),
    "odd": ([(9, 5), (3, 3)], [(5, [2, 1, 4]), (3, [1, 1, 1])]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_output_is_that_of_coquis_generator_of_either_type_with_and_without_speakers(shape):
    errors = answer_of(BESIDE + f"""
    errors = {{}}
    for kind in ("1", "2"):
        for speaker in (0, 5):
            torch.manual_seed(speaker)
            generator, decoder = beside(speaker, kind, *{SHAPES[shape]})
            g = torch.randn(1, 5, 1, dtype=torch.float64) if speaker else None
            for frames in (1, 2, 31):
                latent = torch.randn(1, 6, frames, dtype=torch.float64)
                before = latent.clone()
                with torch.inference_mode():
                    expected, found = generator(latent, g=g).flatten(), decoder(latent, g)
                assert torch.equal(before, latent), "the latent was overwritten"
                assert expected.shape == found.shape, (expected.shape, found.shape)
                assert expected.abs().max() > 0.01, "silence is no proof"
                errors[f"type {{kind}}, {{speaker}} channels, {{frames}} frames"] = float((expected - found).abs().max())
    print(json.dumps(errors))
    """)

    assert 12 == len(errors)
    assert {} == {name: error for name, error in errors.items() if error > 1e-9}


def test_another_speaker_gives_other_samples():
    assert answer_of(BESIDE + f"""
    _, decoder = beside(5, "2", *{SHAPES["small"]})
    latent = torch.randn(1, 6, 9, dtype=torch.float64)
    with torch.inference_mode():
        one, other = (decoder(latent, torch.full((1, 5, 1), value, dtype=torch.float64)) for value in (0.5, -0.5))
    print(json.dumps(float((one - other).abs().max()) > 0.01))
    """)


def test_every_convolution_uses_its_weight_in_place():
    """Torch copies a weight of another memory layout at every use."""
    seen, expected = answer_of(BESIDE + f"""
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is torch.nn.functional.conv2d:
                x, weight = args[:2]
                assert x.is_contiguous(memory_format=torch.channels_last), x.stride()
                assert weight.is_contiguous(memory_format=torch.channels_last), weight.stride()
                seen.append(weight.data_ptr())
            return func(*args, **(kwargs or {{}}))

    seen = []
    _, decoder = beside(5, "1", *{SHAPES["large"]})
    with torch.inference_mode(), Watch():
        decoder(torch.randn(1, 6, 9, dtype=torch.float64), torch.randn(1, 5, 1, dtype=torch.float64))
    weights = [each.data_ptr() for name, each in decoder.named_parameters() if name.endswith("weight")]
    print(json.dumps([sorted(seen), sorted(weights)]))
    """)

    assert seen == expected
    assert len(seen) == len(set(seen)) == 1 + 1 + 4 + 4 * 3 * 3 * 2 + 1
