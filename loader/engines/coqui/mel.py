"""Voices in two steps: ids to a spectrogram, and a vocoder, or Griffin-Lim, that makes it audible."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from loader.artifacts.artifact import Artifact
from loader.engines.base import Samples, Utterance
from loader.engines.coqui import building
from loader.engines.weights import assign, mapped_tensors, placed, without_initialisation
from loader.errors import ArtifactError, SynthesisError

CONFIG_FILE, WEIGHTS_FILE, STATISTICS_FILE = "config.json", "weights.safetensors", "statistics.safetensors"
VOCODER_CONFIG_FILE, VOCODER_WEIGHTS_FILE = "vocoder_config.json", "vocoder.safetensors"
VOCODER_STATISTICS_FILE = "vocoder_statistics.safetensors"
#: Vectors of the speakers, in Coqui's own JSON, where the voice was trained with vectors.
D_VECTORS_FILE = "d_vectors.json"
#: What the encoders of SpeedySpeech and its kin can take; Coqui itself fails over a text of one letter.
LEAST_IDS = 16
#: Longest utterance: 500 phonemes at a quarter of the usual speed last about 140 s. More is a runaway.
MOST_S = 200
#: A phoneme that lasts longer at the usual speed is a runaway: a third of a second.
MOST_FRAMES_OF_ID = 30

log = logging.getLogger("chorus.loader")


class MelVoice:
    """One family's model and its vocoder. Its parameters lie in the artifact's mapping."""

    def __init__(self, model: Any, vocoder: "Vocoder | None", facts: Mapping[str, Any]) -> None:
        """Take a model that has its weights.

        Args:
            model: one of `building.MEL_FAMILIES`.
            vocoder: None for Griffin-Lim.
            facts: `speakers` and `languages` of the voice.
        """
        self.model = model
        self.vocoder = vocoder
        self._facts = facts
        self._most_frames = MOST_S * model.ap.sample_rate // model.ap.hop_length

    @property
    def device(self) -> Any:
        """The torch device its weights are on."""
        return self.model.device

    def to(self, device: Any) -> "MelVoice":
        """Return a copy on another torch device."""
        vocoder = self.vocoder and self.vocoder.to(device)
        return MelVoice(placed(self.model, device), vocoder, self._facts)

    def samples(self, utterance: Utterance) -> Samples:
        """Speak one utterance (see `Model.samples`)."""
        with torch.inference_mode():
            mel = self._heard(utterance)
            if not 0 < mel.shape[0] <= self._most_frames:
                raise SynthesisError(f"the model made {mel.shape[0]} frames, limit {self._most_frames}")
            spoken = self.vocoder.samples(self.model.ap, mel) if self.vocoder else self.griffin_lim(mel)
        return np.asarray(spoken, dtype=np.float32).reshape(-1)

    def _heard(self, utterance: Utterance) -> torch.Tensor:
        """Return the spectrogram; where an encoder's kernel is wider than the utterance, with its last id drawn out."""
        try:
            return self._spectrogram(utterance)
        except RuntimeError:  # what torch says to it, and to much else
            missing = LEAST_IDS - len(utterance.ids)
            if missing <= 0:
                raise
        return self._spectrogram(replace(utterance, ids=[*utterance.ids, *[utterance.ids[-1]] * missing]))

    def _spectrogram(self, utterance: Utterance) -> torch.Tensor:
        """Return frames in rows."""
        ids = torch.tensor([list(utterance.ids)], dtype=torch.long, device=self.model.device)
        inputs = {"x_lengths": torch.tensor(ids.shape[1:2], device=ids.device)}
        inputs |= self._who(utterance) | _pace(self.model, utterance)
        watch = self._watch_durations()
        try:
            frames = self.model.inference(ids, aux_input=inputs)["model_outputs"][0]
        finally:
            for hook in watch:
                hook.remove()
        self._report_runaway(len(frames), inputs.get("max_sampling_time"))
        return frames if _has_pace(self.model) else _stretched(frames, utterance.prosody.stretch)

    def _who(self, utterance: Utterance) -> dict[str, Any]:
        speakers = self._facts["speakers"]
        name = speakers[utterance.speaker] if speakers else None
        row, vector = self.model._get_speaker_id_or_dvector(name)
        language = self.model._get_language_id(self._facts["languages"][utterance.language] or None)
        rows = None if language is None else torch.tensor([language], device=self.model.device)
        style = {"style_mel": None, "style_text": None}
        return {"speaker_ids": row, "d_vectors": vector, "language_ids": rows, **style}

    def _watch_durations(self) -> list[Any]:
        """Refuse durations that no memory could hold, before they are laid out."""

        def refuse_runaway(module: Any, inputs: Any, log_durations: torch.Tensor) -> None:
            frames = float(torch.exp(log_durations).sum())
            if not frames <= self._most_frames:
                asked = f"the duration predictor asked for {frames:.0f} frames"
                raise SynthesisError(f"{asked}, limit {self._most_frames}")

        named = self.model.named_modules()
        return [each.register_forward_hook(refuse_runaway) for name, each in named if name.endswith("duration_predictor")]

    def _report_runaway(self, frames: int, most: int | None) -> None:
        """Say when a model that decides step by step never decided to end: Coqui cuts it there, and so do we."""
        if "max_decoder_steps" in self.model.config:
            most = self.model.config.max_decoder_steps * self.model.decoder.r
        if most and frames >= most:
            log.warning("an utterance was cut after %d frames: the model did not end it", frames)

    def griffin_lim(self, mel: torch.Tensor) -> Any:
        """Return samples for frames in rows, without a vocoder, as Coqui does."""
        from TTS.tts.utils.synthesis import inv_spectrogram

        return inv_spectrogram(mel.cpu().numpy(), self.model.ap, self.model.config)


class Vocoder:
    """A generator, and how the spectrogram it was trained with was scaled."""

    def __init__(self, generator: Any, processor: Any) -> None:
        self.generator = generator
        self._processor = processor

    def to(self, device: Any) -> "Vocoder":
        """Return a copy on another torch device."""
        return Vocoder(placed(self.generator, device), self._processor)

    def samples(self, source: Any, mel: torch.Tensor) -> Any:
        """Return samples for frames in rows, scaled as the audio processor `source` scales them."""
        from TTS.vocoder.utils.generic_utils import interpolate_vocoder_input

        plain = source.denormalize(mel.cpu().numpy().T)
        scaled = self._processor.normalize(plain)
        ratio = self._processor.sample_rate / source.sample_rate
        batch = torch.tensor(scaled).unsqueeze(0) if ratio == 1 else interpolate_vocoder_input([1, ratio], scaled)
        device = next(self.generator.parameters()).device
        return self.generator.inference(batch.to(device)).cpu().numpy()


def open_mel_voice(artifact: Artifact) -> MelVoice:
    """Build the model and the vocoder of a baked voice, and lend them their weights.

    Raises:
        ArtifactError: Coqui cannot build them, or the weights do not fit.
    """
    facts = artifact.manifest.voice
    with without_initialisation():
        model = _open_model(artifact)
        vocoder = _open_vocoder(artifact) if VOCODER_CONFIG_FILE in artifact.buffers else None
    voice = MelVoice(model, vocoder, {"speakers": facts.speakers, "languages": facts.languages})
    if vocoder is None:
        # What it runs is compiled at first use: once here, for all workers.
        linear = model.config.model.lower() == "tacotron"
        voice.griffin_lim(torch.zeros(2, model.ap.fft_size // 2 + 1 if linear else model.ap.num_mels))
    return voice


def _open_model(artifact: Artifact) -> Any:
    config = building.config_of(artifact.buffers[CONFIG_FILE])
    if D_VECTORS_FILE in artifact.buffers:
        for holder in (config, config.model_args):
            if "d_vector_file" in holder:
                holder.d_vector_file = str(artifact.directory / D_VECTORS_FILE)
    try:
        model = building.build_family(config)
    except Exception as error:  # Coqui's constructors raise anything
        reason = f"Coqui cannot build it: {error}; bake the voice again"
        raise ArtifactError(f"{artifact.directory}/{CONFIG_FILE}: {reason}") from error
    building.prepare_for_speaking(model)
    assign(model, mapped_tensors(artifact.buffers[WEIGHTS_FILE], WEIGHTS_FILE))
    _apply_statistics(artifact, STATISTICS_FILE, model.ap)
    if reduction := artifact.manifest.network["mel"].get("reduction"):
        model.decoder.set_r(reduction)
    return model


def _open_vocoder(artifact: Artifact) -> Vocoder:
    config = building.config_of(artifact.buffers[VOCODER_CONFIG_FILE])
    generator = building.build_generator(config)
    building.fuse_generator(generator)
    assign(generator, mapped_tensors(artifact.buffers[VOCODER_WEIGHTS_FILE], VOCODER_WEIGHTS_FILE))
    processor = building.audio_processor(config)
    _apply_statistics(artifact, VOCODER_STATISTICS_FILE, processor)
    return Vocoder(generator, processor)


def _apply_statistics(artifact: Artifact, name: str, processor: Any) -> None:
    if name in artifact.buffers:
        building.apply_statistics(processor, mapped_tensors(artifact.buffers[name], name))


def _has_pace(model: Any) -> bool:
    """Whether the family itself can speak slower or faster."""
    return hasattr(model, "length_scale") or (hasattr(model, "duration_threshold") and model.deterministic_transition)


def _pace(model: Any, utterance: Utterance) -> dict[str, float]:
    """Set what the family knows of speed and variation; return what it wants to be told with the text."""
    prosody = utterance.prosody
    if hasattr(model, "length_scale"):
        model.length_scale = prosody.stretch
    if hasattr(model, "inference_noise_scale"):
        model.inference_noise_scale = prosody.noise_scale
    if not hasattr(model, "duration_threshold"):
        return {}
    # A state ends when the probability of having stayed so long falls below the threshold. It falls
    # geometrically, so that the threshold's logarithm is what a duration is proportional to.
    threshold = model.duration_threshold**prosody.stretch
    # Coqui's limit alone, 11 s unless configured, would cut long sentences and slow ones.
    most = max(model.max_sampling_time, MOST_FRAMES_OF_ID * len(utterance.ids)) * max(1.0, prosody.stretch)
    return {"sampling_temp": prosody.noise_scale, "duration_threshold": threshold, "max_sampling_time": round(most)}


def _stretched(frames: torch.Tensor, scale: float) -> torch.Tensor:
    """Return a spectrogram `scale` times as long: the speed of families that know no other."""
    if scale == 1:
        return frames
    long = torch.nn.functional.interpolate(frames.T.unsqueeze(0), scale_factor=scale, mode="linear")
    return long.squeeze(0).T
