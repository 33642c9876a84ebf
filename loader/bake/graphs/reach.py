"""How far the networks see: the frames on either side that an output depends on."""

import math

from loader.bake.graphs.weights import Network
from loader.engines.vits import VitsFacts
from loader.engines.wide_convolutions import cropped_stage


def vits_facts(network: Network) -> VitsFacts:
    """Return the shape of a voice's networks for its engine."""
    reaches = _reaches(network)
    cropped = cropped_stage(len(network.strides))
    return VitsFacts(
        samples_per_frame=math.prod(network.strides),
        latent_channels=int(network.weights["dec.conv_pre.weight"].shape[1]),
        # The first convolution, then every layer of the generator, each divided by its sample rate.
        margin_frames=math.ceil(_reach(network, "dec.conv_pre") + sum(map(sum, reaches))),
        inner_margin_frames=math.ceil(reaches[cropped][1] + sum(map(sum, reaches[cropped + 1 :]))),
        flow_margin_frames=_flow_reach(network),
    )


def _reach(network: Network, name: str, dilation: int = 1) -> float:
    kernel: int = network.weights[f"{name}.weight"].shape[2]
    return (kernel - 1) / 2 * dilation


def _reaches(network: Network) -> list[tuple[float, float]]:
    """Return the reach of each stage's upsampling and blocks, and of the last convolution, in frames."""
    rate, count, reaches = 1, len(network.dilations), []
    for number, stride in enumerate(network.strides):
        upsampling = _reach(network, f"dec.ups.{number}") / stride / rate + 0.5 / rate
        rate *= stride
        blocks = max(_block_reach(network, number * count + index, index) for index in range(count))
        reaches.append((upsampling, blocks / rate))
    return [*reaches, (0.0, _reach(network, "dec.conv_post") / rate)]


def _block_reach(network: Network, number: int, index: int) -> float:
    """Return the reach of a residual block in samples. Type 1 has a plain convolution after every dilated one."""
    block, dilations = f"dec.resblocks.{number}", network.dilations[index]
    if f"{block}.convs.0.weight" in network.weights:
        return _reach(network, f"{block}.convs.0") * sum(dilations)
    return _reach(network, f"{block}.convs1.0") * sum(dilations) + _reach(network, f"{block}.convs2.0") * len(dilations)


def _flow_reach(network: Network) -> int:
    weights, reach = network.weights, 0.0
    for number in range(weights.count("flow.flows.")):
        for layer in range(weights.count(f"flow.flows.{number}.enc.in_layers.")):
            reach += _reach(network, f"flow.flows.{number}.enc.in_layers.{layer}", network.flow_dilation_rate**layer)
    return int(reach)
