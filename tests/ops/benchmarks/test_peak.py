"""The loop that finds the peak is believed only where its machine code is what it should be."""

import platform

import click
import pytest

from loader.artifacts.cpu import feature_level
from ops.benchmarks import peak
from ops.benchmarks.peak import Loop, Shape, inner_loop, require_registers_only

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
