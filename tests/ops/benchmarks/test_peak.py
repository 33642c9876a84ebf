"""Arithmetic of the decoder and of the processor: the count of multiply-adds, and the loop that finds the peak."""

import json
import math
import platform
from pathlib import Path

import click
import numpy as np
import pytest

from loader.artifacts.instruction_set import feature_level
from loader.engines import onnx
from ops.benchmarks import peak
from ops.benchmarks.peak import (
    Loop,
    Shape,
    decoder_layers,
    decoder_multiply_adds,
    inner_loop,
    require_registers_only,
)

SHAPE = Shape(lanes=8, register="ymm", chains=1)
ADD = "vfmadd213ps\t%ymm1, %ymm0, %ymm2"
COUNT, JUMP = "decq\t%rdi", "jne\t.LBB0_1"


def test_the_inner_loop_is_what_lies_between_a_label_and_the_jump_back():
    code = f"turn:\n\tvaddps\t%ymm0, %ymm1, %ymm2\n.LBB0_1:   # %loop\n\t.p2align 4\n\t{ADD}\n\t{COUNT}\n\t{JUMP}\n\tretq\n"
    assert [ADD, COUNT, JUMP] == inner_loop(code)


def test_code_without_a_jump_back_has_no_loop():
    assert [] == inner_loop("turn:\n\tjne\t.LBB0_2\n.LBB0_2:\n\tretq\n")


def test_multiply_adds_in_registers_are_believed():
    require_registers_only([ADD] * 4 + [COUNT, JUMP], SHAPE)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param("vfmadd213ps\t(%rsi), %ymm0, %ymm2", id="reads memory"),
        pytest.param("vfmadd213ps\t(%rip){1to8}, %ymm0, %ymm2", id="reads a constant"),
        pytest.param("vfmadd213ps\t%xmm1, %xmm0, %xmm2", id="narrower registers"),
        pytest.param("vfmadd213ss\t%xmm1, %xmm0, %xmm2", id="one number at a time"),
        pytest.param("vmulps\t%ymm1, %ymm0, %ymm2", id="does not add"),
    ],
)
def test_anything_else_in_the_place_of_a_multiply_add_is_refused(spoilt):
    with pytest.raises(click.ClickException, match="holds 3 multiply-adds in registers instead of 4"):
        require_registers_only([ADD] * 3 + [spoilt, COUNT, JUMP], SHAPE)


def test_a_spill_beside_the_multiply_adds_is_refused():
    with pytest.raises(click.ClickException, match="vmovups"):
        require_registers_only([ADD] * 4 + ["vmovups\t%ymm2, -32(%rsp)", COUNT, JUMP], SHAPE)


def test_a_processor_without_fused_multiply_adds_is_named_with_those_that_are_known():
    with pytest.raises(click.ClickException, match="x86-64-v2; known: x86-64-v4, x86-64-v3"):
        Loop("x86-64-v2")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the loop is written for x86-64")
@pytest.mark.parametrize("level", ["x86-64-v4", "x86-64-v3"])
def test_the_loop_compiled_here_holds_every_multiply_add_in_registers(level):
    if level > feature_level():
        pytest.skip(f"this processor is {feature_level()}")
    loop = Loop(level)
    adds = [line for line in loop.body if line.startswith("vfmadd")]
    assert loop.flops_per_turn == 2 * loop.shape.lanes * len(adds)
    assert all(f"%{loop.shape.register}" in line for line in adds)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the loop is written for x86-64")
def test_the_loop_runs_as_often_as_it_is_told_and_settles_where_arithmetic_says():
    loop = Loop()
    # x -> 0.5 x + 1 goes to 2 in every chain, and the result is the sum of all chains.
    assert 2.0 * loop.shape.chains == loop._run(100, 0.5, 1.0)
    # x -> x + 1, from 0, 1, 2 ... in the first lane of the chains.
    chains = loop.shape.chains
    assert chains * 10 * peak._STEPS + sum(range(chains)) == loop._run(10, 1.0, 1.0)


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
    """Return the multiply-adds of the layer that `loader.bake.graphs.decoder` and ONNX Runtime make of this one."""
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
