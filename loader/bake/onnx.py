"""The bake of Coqui's VITS for the `onnx` engine: optimized graphs with their weights beside them."""

from dataclasses import asdict
from pathlib import Path

from loader.bake.graphs.reach import vits_facts
from loader.bake.graphs.writing import write_graphs
from loader.bake.tokenizer import copy_text_sources, text_facts
from loader.bake.vits import load_vits, voice_facts, write_conditions
from loader.bake.vits_network import network_of
from loader.bake.voice import Contents, Stage
from loader.releases.release import Release


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write a VITS release's graphs, conditions and text sources into `target`."""
    with stage("loading the checkpoint"):
        vits = load_vits(release)
    with stage("writing and optimizing three graphs"):
        network = network_of(vits, release.checkpoint_path)
        copy_text_sources(target, vits)
        write_conditions(vits, target)
        write_graphs(network, target)
    return Contents(voice_facts(vits), text_facts(vits), {"vits": asdict(vits_facts(network))})
