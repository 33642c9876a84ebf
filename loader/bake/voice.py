"""One release to one artifact: the bake, from first to last line."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from loader.artifact import PRECISION, Manifest, VoiceFacts, artifact_key, this_platform, write_manifest
from loader.engines import onnx
from loader.release import open_release
from loader.sources import source_facts


def bake_voice(source: Path, target: Path, stage: Callable[[str], AbstractContextManager[None]]) -> None:
    """Verify the release in `source` and write its artifact's files into the empty folder `target`.

    Raises:
        LoaderError: any of its children; `target` may then hold some files.
    """
    with stage(f"verifying {source}"):
        release = open_release(source)
    with stage("starting torch and Coqui"):
        from loader.bake import coqui

        coqui.import_coqui()
    with stage("loading the checkpoint"):
        vits = coqui.load_vits(release)
        coqui.fuse_weight_norm(vits.model)
    with stage("exporting and optimising three graphs"):
        from loader.bake import decoder, export, tokenizer

        facts = _voice_facts(vits, decoder.decoder_margin_frames(vits.model.args))
        text = tokenizer.text_facts(vits.model)
        tokenizer.copy_cleaner_sources(target)
        export.export_graphs(vits.model, target)
    with stage("sealing"):
        platform = this_platform(onnx.version())
        about = source_facts(release)
        key = artifact_key(about, platform)
        write_manifest(target, Manifest(key, PRECISION, platform, about, facts, text))


def _voice_facts(vits: Any, margin_frames: int) -> VoiceFacts:
    arguments = vits.model.args
    samples_per_frame = 1
    for rate in arguments.upsample_rates_decoder:
        samples_per_frame *= rate
    return VoiceFacts(
        sample_rate_hz=vits.config.audio.sample_rate,
        samples_per_frame=samples_per_frame,
        latent_channels=arguments.hidden_channels,
        margin_frames=margin_frames,
        length_scale=float(vits.model.length_scale),
        noise_scale=float(vits.model.inference_noise_scale),
        noise_scale_duration=float(vits.model.inference_noise_scale_dp),
    )
