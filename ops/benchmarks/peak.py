"""Arithmetic: what the `onnx` decoder needs, and what one core can do at most, in single-precision multiply-adds.

The loop that finds the peak touches no memory. It is written in LLVM's own language and compiled for this processor, and its
machine code is checked before it is believed. What the decoder needs is counted from Coqui's own layers, as trained: channels
times kernel times length, no activations, no additions, no biases. The served graph does slightly more, since it is written
in other layers (see `loader.bake.graphs.decoder`); so a decoder's GFLOP/s is what it needs, and needless work does not
flatter it.

`python -m ops.benchmarks.peak CONFIG RELEASE` decodes windows between runs of that loop and prints one line of JSON.
"""

import ctypes
import functools
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from app.system import heap
from loader.artifacts.artifact import open_artifact
from loader.artifacts.instruction_set import feature_level
from loader.artifacts.resolve import locate_all
from loader.config.settings import load_settings
from loader.engines.onnx import OnnxNetworks
from loader.engines.vits import Condition

#: Latent frames of a window: half of the engine's limit, and the limit, without margins.
_FRAMES = (128, 256)
_PAIRS = 4
#: Kernel of the first and the last convolution; Coqui has no setting for it.
_OUTER_KERNEL = 7
#: A burst is short enough that some of them fall between two changes of the clock.
_BURST_S, _BURSTS = 0.03, 10


@dataclass(frozen=True)
class Shape:
    """Registers that the loop uses at one level of the instruction set."""

    #: Floats in a vector register, and the assembler's name of such a register.
    lanes: int
    register: str
    #: Sums that do not wait for each other: more than latency times units, fewer than there are registers.
    chains: int


_SHAPES = {"x86-64-v4": Shape(16, "zmm", 24), "x86-64-v3": Shape(8, "ymm", 12)}
#: Steps of every chain in one iteration, so that counting iterations costs nothing.
_STEPS = 4


class Loop:
    """The compiled loop. Its machine code lives as long as this object."""

    def __init__(self, level: str | None = None) -> None:
        """Compile it for this processor.

        Raises:
            click.ClickException: there is no loop for the processor, or the compiler made another one.
        """
        level = level or feature_level()
        if level not in _SHAPES:
            raise click.ClickException(f"no loop finds the peak of a processor of level {level}; known: {', '.join(_SHAPES)}")
        self.shape = _SHAPES[level]
        self._engine, self.assembly = _compile(source(self.shape))
        self.body = inner_loop(self.assembly)
        require_registers_only(self.body, self.shape)
        prototype = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float, ctypes.c_float)
        self._run: Callable[[int, float, float], float] = prototype(self._engine.get_function_address("turn"))
        turns = 1000
        while (took_s := self._seconds(turns)) < _BURST_S / 10:
            turns *= 4
        self._turns = round(turns * _BURST_S / took_s)

    @property
    def flops_per_turn(self) -> int:
        """Additions and multiplications in one turn."""
        return 2 * self.shape.lanes * self.shape.chains * _STEPS

    def peak_gflops(self) -> float:
        """Return the fastest of some bursts, in 10^9 additions and multiplications a core second. Takes some 0.3 s."""
        return max(self.flops_per_turn * self._turns / self._seconds(self._turns) for _burst in range(_BURSTS)) / 1e9

    def _seconds(self, turns: int) -> float:
        """Return the core time of that many iterations, which other processes do not count in."""
        started_s = time.thread_time()
        # Converges to 2, far from numbers that processors are slow with.
        self._run(turns, 0.5, 1.0)
        return time.thread_time() - started_s


def source(shape: Shape) -> str:
    """Return the loop in LLVM's language: `float turn(i64 turns, float factor, float summand)`.

    Factor and summand are arguments, since the compiler would read constants from memory.
    """
    from llvmlite import ir

    number, count, position = ir.FloatType(), ir.IntType(64), ir.IntType(32)
    vector, module = ir.VectorType(number, shape.lanes), ir.Module()
    multiply_add = ir.Function(module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{shape.lanes}f32")
    turn = ir.Function(module, ir.FunctionType(number, [count, number, number]), "turn")
    entry, loop, done = (turn.append_basic_block(name) for name in ("entry", "loop", "done"))
    build = ir.IRBuilder(entry)
    nothing, all_lanes = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(position, shape.lanes), None)
    factors, summands = (
        build.shuffle_vector(build.insert_element(nothing, each, position(0)), nothing, all_lanes) for each in turn.args[1:]
    )
    starts = [build.insert_element(factors, number(float(chain)), position(0)) for chain in range(shape.chains)]
    build.branch(loop)

    build.position_at_end(loop)
    left, begins = build.phi(count), [build.phi(vector) for _chain in range(shape.chains)]
    ends = begins
    for _step in range(_STEPS):
        ends = [build.call(multiply_add, [each, factors, summands]) for each in ends]
    fewer = build.sub(left, count(1))
    for phi, start, end in zip([left, *begins], [turn.args[0], *starts], [fewer, *ends], strict=True):
        phi.add_incoming(start, entry)
        phi.add_incoming(end, loop)
    build.cbranch(build.icmp_signed(">", fewer, count(0)), loop, done)

    build.position_at_end(done)
    # The sum of all chains, so that the compiler may leave none out.
    build.ret(build.extract_element(functools.reduce(build.fadd, ends), position(0)))
    return str(module)


def inner_loop(assembly: str) -> list[str]:
    """Return the instructions between a label and the jump back to it, the longest such part."""
    lines = [line.strip() for line in assembly.splitlines()]
    labels = {line.partition(":")[0]: number for number, line in enumerate(lines) if re.match(r"\.?L?\w+:", line)}
    loops: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        jump = re.match(r"j\w+\s+(\S+)", line)
        if jump and labels.get(jump[1], number) < number:
            loops.append([each for each in lines[labels[jump[1]] + 1 : number + 1] if re.match(r"[a-z]", each)])
    return max(loops, key=len)


def require_registers_only(body: list[str], shape: Shape) -> None:
    """Refuse a loop that does anything but multiply and add in registers, and count.

    Raises:
        click.ClickException: names the instructions that should not be there.
    """
    adds = [line for line in body if re.match(rf"vfmadd\d+ps\s+%{shape.register}\d+(, ?%{shape.register}\d+){{2}}", line)]
    others = [line for line in body if line not in adds and not re.match(r"(dec|sub|add|cmp|test|j)\w*\s", line)]
    if len(adds) != shape.chains * _STEPS or others or any("(" in line for line in body):
        raise click.ClickException(
            f"the loop that finds the processor's peak holds {len(adds)} multiply-adds in registers instead of "
            f"{shape.chains * _STEPS}, and {others[:3]}; llvmlite compiled it differently than expected"
        )


def _compile(code: str) -> tuple[Any, str]:
    """Return the engine that holds the machine code, and that code as text."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(code)
    module.verify()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True
    )
    assembly: str = machine.emit_assembly(module)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine, assembly


@dataclass(frozen=True)
class Layer:
    """One convolution of Coqui's decoder over a window."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    #: How often the kernel is applied: samples of the input if it is transposed, else of the output.
    length: int

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition."""
        return self.in_channels * self.out_channels * self.kernel * self.length


def decoder_layers(model_args: Mapping[str, Any], frames: int) -> Iterator[Layer]:
    """Yield the convolutions of a HiFi-GAN generator over `frames` latent frames, in their order.

    Args:
        model_args: `model_args` of the voice's config.json.
        frames: latent frames in the window, margins included.
    """
    channels, length = int(model_args["upsample_initial_channel_decoder"]), frames
    # Blocks of type 1 follow each dilated convolution by a plain one.
    per_dilation = 2 if str(model_args["resblock_type_decoder"]) == "1" else 1
    blocks = [
        (kernel, per_dilation * len(dilations)) for kernel, dilations in
        zip(model_args["resblock_kernel_sizes_decoder"], model_args["resblock_dilation_sizes_decoder"], strict=True)
    ]  # fmt: skip
    yield Layer("first", int(model_args["hidden_channels"]), channels, _OUTER_KERNEL, frames)
    upsamplings = zip(model_args["upsample_rates_decoder"], model_args["upsample_kernel_sizes_decoder"], strict=True)
    for stage, (rate, kernel) in enumerate(upsamplings):
        yield Layer(f"stage {stage}, upsampling", channels, channels // 2, kernel, length)
        channels, length = channels // 2, length * rate
        for block_kernel, convolutions in blocks:
            for _convolution in range(convolutions):
                yield Layer(f"stage {stage}, kernel {block_kernel}", channels, channels, block_kernel, length)
    yield Layer("last", channels, 1, _OUTER_KERNEL, length)


def decoder_multiply_adds(model_args: Mapping[str, Any], frames: int) -> int:
    """Return the multiply-adds of the decoder over `frames` latent frames."""
    return sum(layer.multiply_adds for layer in decoder_layers(model_args, frames))


def _decode_windows(config_path: str, release: Path) -> None:
    """Measure every length of a window, and print."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    artifact = open_artifact(locate_all(load_settings(config_path))[0])
    networks, loop = OnnxNetworks(artifact), Loop()
    model_args = json.loads((release / "config.json").read_text(encoding="utf-8"))["model_args"]
    print(json.dumps([_rate(frames, model_args, networks, loop) for frames in _FRAMES]), flush=True)


def _rate(frames: int, model_args: Mapping[str, Any], networks: OnnxNetworks, loop: Loop) -> dict[str, float]:
    """Return medians over some windows, in 10^9 additions and multiplications a core second, and of the ratios pair by pair."""
    # The work does not depend on the numbers.
    window = np.random.default_rng(0).standard_normal((1, model_args["hidden_channels"], frames), dtype=np.float32)
    billions = 2 * decoder_multiply_adds(model_args, frames) / 1e9
    for _warm_up in range(2):
        networks.decode(window, Condition())
    peaks, rates = [loop.peak_gflops()], []
    for _pair in range(_PAIRS):
        # Of all threads: one more than there should be would show as a slow decoder.
        started_s = time.process_time()
        networks.decode(window, Condition())
        rates.append(billions / (time.process_time() - started_s))
        peaks.append(loop.peak_gflops())
    # The clock of the processor varies by the minute.
    of_peak = [2 * rate / (before + after) for rate, before, after in zip(rates, peaks[:-1], peaks[1:], strict=True)]
    return {
        "frames": frames, "gflops": statistics.median(rates), "peak_gflops": statistics.median(peaks),
        "of_peak": statistics.median(of_peak),
    }  # fmt: skip


if __name__ == "__main__":
    _decode_windows(sys.argv[1], Path(sys.argv[2]))
