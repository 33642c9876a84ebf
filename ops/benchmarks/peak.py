"""What one core can do at most: single-precision multiply-adds in a loop that touches no memory.

The loop is written in LLVM's own language, compiled for the processor this runs on, and
its machine code is read before it is believed. `python -m ops.benchmarks.peak` prints
one measurement and the loop.
"""

import ctypes
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from loader.artifacts.cpu import feature_level

#: A burst is short enough that some of them fall between two changes of the clock.
_BURST_S, _BURSTS = 0.03, 10


@dataclass(frozen=True)
class Shape:
    """How the loop fills the registers of one level of the instruction set."""

    #: Floats in a vector register, and what the assembler calls such a register.
    lanes: int
    register: str
    #: Sums that do not wait for each other: more than latency times units, fewer than there are registers.
    chains: int


_SHAPES = {"x86-64-v4": Shape(16, "zmm", 24), "x86-64-v3": Shape(8, "ymm", 12)}
#: Steps of every chain in one turn of the loop, so that counting turns costs nothing.
_STEPS = 4


class Loop:
    """The compiled loop. Its machine code lives as long as it does."""

    def __init__(self, level: str | None = None) -> None:
        """Compile it for this processor.

        Raises:
            click.ClickException: the processor has no such loop, or the compiler made another one.
        """
        self.shape = _shape(level or feature_level())
        # Both are LLVM's: what compiles, and what owns the result.
        self._engine, self.assembly = _compile(source(self.shape))
        self.body = inner_loop(self.assembly)
        require_registers_only(self.body, self.shape)
        prototype = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float, ctypes.c_float)
        self._run: Callable[[int, float, float], float] = prototype(self._engine.get_function_address("turn"))
        self._turns = self._turns_of(_BURST_S)

    @property
    def flops_per_turn(self) -> int:
        """Additions and multiplications in one turn."""
        return 2 * self.shape.lanes * self.shape.chains * _STEPS

    def peak_gflops(self) -> float:
        """Return the fastest of some bursts, in 10^9 additions and multiplications a core second. Takes some 0.3 s."""
        return max(self.flops_per_turn * self._turns / self._seconds(self._turns) for _burst in range(_BURSTS)) / 1e9

    def _turns_of(self, seconds: float) -> int:
        turns = 1000
        while (took_s := self._seconds(turns)) < seconds / 10:
            turns *= 4
        return round(turns * seconds / took_s)

    def _seconds(self, turns: int) -> float:
        """Return the core time of so many turns, in which other processes have no part."""
        started_s = time.thread_time()
        # Settles at 2, far from the numbers that processors are slow with.
        self._run(turns, 0.5, 1.0)
        return time.thread_time() - started_s


def source(shape: Shape) -> str:
    """Return the loop in LLVM's language: `float turn(i64 turns, float factor, float summand)`.

    Factor and summand are arguments, since the compiler would read constants from memory.
    """
    vector, chains = f"<{shape.lanes} x float>", range(shape.chains)
    last = _STEPS - 1
    lines = [
        f"declare {vector} @llvm.fma.v{shape.lanes}f32({vector}, {vector}, {vector})",
        "define float @turn(i64 %turns, float %factor, float %summand) {",
        "entry:",
        *_broadcast("factor", vector, shape.lanes),
        *_broadcast("summand", vector, shape.lanes),
        *(f"  %start{c} = insertelement {vector} %factors, float {c}.0, i32 0" for c in chains),
        "  br label %loop",
        "loop:",
        "  %left = phi i64 [ %turns, %entry ], [ %fewer, %loop ]",
        *(f"  %sum{c} = phi {vector} [ %start{c}, %entry ], [ %sum{c}.{last}, %loop ]" for c in chains),
        *(line for step in range(_STEPS) for c in chains for line in _step(c, step, vector, shape.lanes)),
        "  %fewer = sub i64 %left, 1",
        "  %more = icmp sgt i64 %fewer, 0",
        "  br i1 %more, label %loop, label %done",
        "done:",
        *_reduce([f"%sum{c}.{last}" for c in chains], vector),
        "}",
    ]
    return "\n".join(lines)


def _broadcast(name: str, vector: str, lanes: int) -> list[str]:
    return [
        f"  %{name}.one = insertelement {vector} poison, float %{name}, i32 0",
        f"  %{name}s = shufflevector {vector} %{name}.one, {vector} poison, <{lanes} x i32> zeroinitializer",
    ]


def _step(chain: int, step: int, vector: str, lanes: int) -> list[str]:
    before = f"%sum{chain}" + (f".{step - 1}" if step else "")
    operands = ", ".join(f"{vector} {name}" for name in (before, "%factors", "%summands"))
    return [f"  %sum{chain}.{step} = call {vector} @llvm.fma.v{lanes}f32({operands})"]


def _reduce(sums: list[str], vector: str) -> list[str]:
    """Add all chains, so that none of them may be left out."""
    total, lines = sums[0], []
    for position, each in enumerate(sums[1:]):
        lines.append(f"  %total{position} = fadd {vector} {total}, {each}")
        total = f"%total{position}"
    return [*lines, f"  %result = extractelement {vector} {total}, i32 0", "  ret float %result"]


def inner_loop(assembly: str) -> list[str]:
    """Return the instructions between a label and the jump back to it, the longest such stretch."""
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
        click.ClickException: with the instruction that should not be there.
    """
    adds = [line for line in body if re.match(rf"vfmadd\d+ps\s+%{shape.register}\d+(, ?%{shape.register}\d+){{2}}", line)]
    others = [line for line in body if line not in adds and not re.match(r"(dec|sub|add|cmp|test|j)\w*\s", line)]
    if len(adds) != shape.chains * _STEPS or others or any("(" in line for line in body):
        raise click.ClickException(
            f"the loop that finds the processor's peak holds {len(adds)} multiply-adds in registers instead of "
            f"{shape.chains * _STEPS}, and {others[:3]}; llvmlite compiled it in another way than expected"
        )


def _shape(level: str) -> Shape:
    if level not in _SHAPES:
        raise click.ClickException(f"no loop finds the peak of a processor of level {level}; known: {', '.join(_SHAPES)}")
    return _SHAPES[level]


def _compile(code: str) -> tuple[Any, str]:
    """Return the engine that holds the machine code, and that code for people."""
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


if __name__ == "__main__":
    loop = Loop()
    print("\n".join(loop.body))
    print(f"{loop.peak_gflops():.1f} GFLOP/s")
