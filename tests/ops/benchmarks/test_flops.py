"""The count of multiply-adds: against a layer worked out by hand, and against the graph that is served."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from loader.artifacts.cpu import feature_level
from loader.engines import onnx
from ops.benchmarks.flops import decoder_layers, decoder_multiply_adds

FRAMES = 24
#: Channels that ONNX Runtime computes together.
_BLOCK = 16 if feature_level() == "x86-64-v4" else 8
LJSPEECH = {
    "hidden_channels": 192, "resblock_type_decoder": "1", "resblock_kernel_sizes_decoder": [3, 7, 11],
    "resblock_dilation_sizes_decoder": [[1, 3, 5]] * 3, "upsample_rates_decoder": [8, 8, 2, 2],
    "upsample_initial_channel_decoder": 512, "upsample_kernel_sizes_decoder": [16, 16, 4, 4],
}  # fmt: skip


@pytest.fixture
def tiny_args(tiny_release):
    """The thin voice's `model_args`."""
    return json.loads((tiny_release / "config.json").read_text())["model_args"]


def test_a_frame_of_ljspeech_needs_what_a_pencil_finds():
    first = 192 * 512 * 7
    # An upsampling convolution lays its kernel on every sample that goes into it.
    upsampling = 512 * 256 * 16 + 8 * 256 * 128 * 16 + 64 * 128 * 64 * 4 + 128 * 64 * 32 * 4
    # Six convolutions for each kernel of 3, 7 and 11, so 126 taps for every pair of channels.
    blocks = 126 * (8 * 256**2 + 64 * 128**2 + 128 * 64**2 + 256 * 32**2)
    last = 256 * 32 * 7
    assert first + upsampling + blocks + last == decoder_multiply_adds(LJSPEECH, 1)


def test_blocks_of_the_second_type_have_half_the_convolutions():
    second = {**LJSPEECH, "resblock_type_decoder": "2"}
    layers = list(decoder_layers(second, 1))
    assert [3, 3, 3, 7, 7, 7, 11, 11, 11] == [layer.kernel for layer in layers if "stage 1, kernel" in layer.name]


def test_the_count_grows_with_the_window():
    assert 10 * decoder_multiply_adds(LJSPEECH, 1) == decoder_multiply_adds(LJSPEECH, 10)


def test_the_served_graph_does_what_is_counted_and_what_its_rewriting_adds(tiny_args, artifact_of, tmp_path):
    served = sum(_as_served(layer, rate, _BLOCK) for layer, rate in _with_rates(tiny_args, FRAMES))
    assert served == _multiply_adds_done(artifact_of("tiny"), tiny_args["hidden_channels"], tmp_path)


def test_the_rewriting_adds_next_to_nothing_to_a_voice_of_ljspeechs_size():
    served = sum(_as_served(layer, rate, _BLOCK) for layer, rate in _with_rates(LJSPEECH, 128))
    needed = decoder_multiply_adds(LJSPEECH, 128)
    assert needed < served < 1.003 * needed


def _with_rates(model_args, frames):
    """Yield every layer with the rate it upsamples by, 1 for most."""
    rates = iter(model_args["upsample_rates_decoder"])
    for layer in decoder_layers(model_args, frames):
        yield layer, next(rates) if "upsampling" in layer.name else 1


def _as_served(layer, rate, block):
    """Return the multiply-adds of the layer that `loader.bake.decoder` and ONNX Runtime make of this one."""
    if layer.name == "last":
        # 16 samples in a step, each from all the taps that any of them needs.
        return 16 * layer.in_channels * (layer.kernel + 15) * (layer.length // 16)
    # A transposed convolution becomes one of every rate-th tap, with a step more for each tap but one.
    taps, out_channels = math.ceil(layer.kernel / rate), layer.out_channels * rate
    steps = layer.length + (taps - 1 if rate > 1 else 0)
    # Channels are computed by the block, whether anybody needs all of them or not.
    return math.ceil(out_channels / block) * block * layer.in_channels * taps * steps


def _multiply_adds_done(artifact, channels, scratch):
    """Run the baked decoder and add up every convolution that mixes channels, by the shapes it really had."""
    runtime = onnx.import_onnxruntime()
    options = onnx.session_options(runtime)
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling = True
    options.profile_file_prefix = str(scratch / "decode")
    session = runtime.InferenceSession(str(artifact / "decode.onnx"), options, providers=["CPUExecutionProvider"])
    latent = np.zeros((1, channels, FRAMES), dtype=np.float32)
    session.run(None, {"latent": latent, "wanted": np.array([0, FRAMES])})
    events = json.loads(Path(session.end_profiling()).read_text())
    convolutions = [event["args"] for event in events if event.get("args", {}).get("op_name") == "Conv"]
    assert convolutions
    return sum(_multiply_adds(each) for each in convolutions)


def _multiply_adds(convolution):
    weight = convolution["input_type_shape"][1]["float"]
    output = convolution["output_type_shape"][0]["float"]
    one_to_one = weight[1] == 1
    return 0 if one_to_one else math.prod(weight) * output[-1]
