"""The bake for the `pytorch` engine: fused weights in the engine's layout, and a description of the layers."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loader.bake.graphs.reach import vits_facts
from loader.bake.tokenizer import copy_text_sources, text_facts
from loader.bake.vits import load_vits, voice_facts, write_conditions
from loader.bake.vits_network import network_of
from loader.bake.voice import Contents, Stage
from loader.engines.pytorch import hifigan
from loader.engines.pytorch.networks import WEIGHTS_FILE, TorchVits
from loader.engines.weights import without_initialisation, write_tensors
from loader.releases.release import Release


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write a VITS release's weights, conditions and text sources into `target`."""
    with stage("loading the checkpoint"):
        vits = load_vits(release)
    with stage("writing the weights that speaking needs"):
        layers = layers_of(vits)
        copy_text_sources(target, vits)
        write_conditions(vits, target)
        write_tensors(target / WEIGHTS_FILE, _weights(vits, layers))
    facts = vits_facts(network_of(vits, release.checkpoint_path))
    return Contents(voice_facts(vits), text_facts(vits), {"vits": asdict(facts), "layers": layers})


def layers_of(vits: Any) -> dict[str, Any]:
    """Describe the layers of `vits` by their constructors' arguments."""
    args, speaker, language = vits.args, vits.embedded_speaker_dim, vits.embedded_language_dim
    return {
        "is_stochastic": bool(args.use_sdp),
        "knows_speaker": bool(args.condition_dp_on_speaker),
        "text_encoder": {
            "n_vocab": vits.text_encoder.emb.num_embeddings,
            "out_channels": args.hidden_channels,
            "hidden_channels": args.hidden_channels,
            "hidden_channels_ffn": args.hidden_channels_ffn_text_encoder,
            "num_heads": args.num_heads_text_encoder,
            "num_layers": args.num_layers_text_encoder,
            "kernel_size": args.kernel_size_text_encoder,
            "dropout_p": 0.0,
            "language_emb_dim": language,
        },
        "flow": {
            "channels": args.hidden_channels,
            "hidden_channels": args.hidden_channels,
            "kernel_size": args.kernel_size_flow,
            "dilation_rate": args.dilation_rate_flow,
            "num_layers": args.num_layers_flow,
            "cond_channels": speaker,
        },
        "duration_predictor": _duration_predictor(args, speaker, language),
        "waveform_decoder": hifigan.layers_of(vits.waveform_decoder),
    }


def _duration_predictor(args: Any, speaker: int, language: int) -> dict[str, Any]:
    shared = {"in_channels": args.hidden_channels, "kernel_size": 3, "dropout_p": 0.0, "language_emb_dim": language}
    if args.use_sdp:
        return {**shared, "hidden_channels": 192, "cond_channels": speaker if args.condition_dp_on_speaker else 0}
    return {**shared, "hidden_channels": 256, "cond_channels": speaker}


def _weights(vits: Any, layers: dict[str, Any]) -> dict[str, Any]:
    """Return the weights that `TorchVits` has, under its names."""
    own = {
        **_prefixed("encoder.text_encoder.", vits.text_encoder.state_dict()),
        **_prefixed("encoder.predictor.", vits.duration_predictor.state_dict()),
        **_prefixed("flows.flow.", vits.flow.state_dict()),
        **_prefixed("decoder.", hifigan.weights_of(vits.waveform_decoder)),
    }
    with without_initialisation():
        wanted = TorchVits(layers).state_dict()
    return {name: own[name] for name in wanted}


def _prefixed(prefix: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in weights.items()}
