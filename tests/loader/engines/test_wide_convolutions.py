"""loader.engines.wide_convolutions: the rewritten upsampling is the transposed convolution."""

from tests.loader.children import answer_of

UPSAMPLING = """
    import json
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional
    from loader.engines.wide_convolutions import kept_of, phases_of

    def upsampled(transposed, x):
        weight, (stride,), (padding,) = transposed.weight.detach().numpy(), transposed.stride, transposed.padding
        phases = torch.from_numpy(phases_of(weight, stride))
        rows = functional.conv1d(x, phases, transposed.bias.repeat(stride), padding=phases.shape[2] - 1)
        interleaved = rows.reshape(1, stride, weight.shape[1], -1).permute(0, 2, 3, 1).reshape(1, weight.shape[1], -1)
        return interleaved[:, :, kept_of(weight.shape[2], stride, padding)]

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
                found = upsampled(transposed, x)
            name = f"{kernel}/{stride}/{padding} over {length}"
            errors[name] = float((expected - found).abs().max()) if expected.shape == found.shape else str(found.shape)
    print(json.dumps(errors))
"""


def test_the_rewritten_upsampling_is_the_transposed_convolution():
    errors = answer_of(UPSAMPLING)

    assert len(errors) > 50
    assert {} == {name: error for name, error in errors.items() if isinstance(error, str) or error > 1e-12}
