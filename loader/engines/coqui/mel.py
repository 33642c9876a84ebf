"""Spectrogram voices: ids to a spectrogram, and a vocoder or Griffin-Lim to samples."""

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
#: Vectors of the speakers, in Coqui's own JSON, if the voice was trained with vectors.
D_VECTORS_FILE = "d_vectors.json"
#: Minimum input length of the encoders of SpeedySpeech and its relatives; Coqui itself fails on a text of one letter.
MIN_IDS = 16
#: Duration of an utterance: 500 phonemes at a quarter of the usual speed last about 140 s. More is a runaway.
MAX_S = 200
#: Duration of a phoneme at the usual speed: a third of a second. More is a runaway.
MAX_FRAMES_OF_ID = 30

log = logging.getLogger("chorus.loader")


class MelVoice:
    """A spectrogram model and its vocoder. The parameters lie in the artifact's mapping."""

    def __init__(self, model: Any, vocoder: "Vocoder | None", facts: Mapping[str, Any]) -> None:
        """Take a model with its weights.

        Args:
            model: one of `building.MEL_FAMILIES`.
            vocoder: None for Griffin-Lim.
            facts: `speakers` and `languages` of the voice.
        """
        self.model = model
        self.vocoder = vocoder
        self._facts = facts
        self._max_frames = MAX_S * model.ap.sample_rate // model.ap.hop_length

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
            mel = self._padded_spectrogram(utterance)
            if not 0 < mel.shape[0] <= self._max_frames:
                raise SynthesisError(f"the model made {mel.shape[0]} frames, limit {self._max_frames}")
            spoken = self.vocoder.samples(self.model.ap, mel) if self.vocoder else self.griffin_lim(mel)
        return np.asarray(spoken, dtype=np.float32).reshape(-1)

    def _padded_spectrogram(self, utterance: Utterance) -> torch.Tensor:
        """Return the spectrogram; if an encoder's kernel is wider than the utterance, with its last id repeated."""
        try:
            return self._spectrogram(utterance)
        except RuntimeError:  # torch's error for it, and for many other causes
            missing = MIN_IDS - len(utterance.ids)
            if missing <= 0:
                raise
        return self._spectrogram(replace(utterance, ids=[*utterance.ids, *[utterance.ids[-1]] * missing]))

    def _spectrogram(self, utterance: Utterance) -> torch.Tensor:
        """Return frames in rows."""
        ids = torch.tensor([list(utterance.ids)], dtype=torch.long, device=self.model.device)
        inputs = {"x_lengths": torch.tensor(ids.shape[1:2], device=ids.device)}
        inputs |= self._conditions(utterance) | _apply_prosody(self.model, utterance)
        hooks = self._watch_durations()
        try:
            frames = self.model.inference(ids, aux_input=inputs)["model_outputs"][0]
        finally:
            for hook in hooks:
                hook.remove()
        self._report_runaway(len(frames), inputs.get("max_sampling_time"))
        return frames if _has_rate(self.model) else _interpolate(frames, utterance.prosody.duration_scale)

    def _conditions(self, utterance: Utterance) -> dict[str, Any]:
        speakers = self._facts["speakers"]
        assert isinstance(utterance.speaker, int), "this engine mixes no speakers"
        name = speakers[utterance.speaker] if speakers else None
        row, vector = self.model._get_speaker_id_or_dvector(name)
        language = self.model._get_language_id(self._facts["languages"][utterance.language] or None)
        rows = None if language is None else torch.tensor([language], device=self.model.device)
        style = {"style_mel": None, "style_text": None}
        return {"speaker_ids": row, "d_vectors": vector, "language_ids": rows, **style}

    def _watch_durations(self) -> list[Any]:
        """Refuse durations that do not fit into memory, before they are expanded."""

        def refuse_runaway(module: Any, inputs: Any, log_durations: torch.Tensor) -> None:
            frames = float(torch.exp(log_durations).sum())
            if not frames <= self._max_frames:
                raise SynthesisError(f"the duration predictor returned {frames:.0f} frames, limit {self._max_frames}")

        named = self.model.named_modules()
        return [each.register_forward_hook(refuse_runaway) for name, each in named if name.endswith("duration_predictor")]

    def _report_runaway(self, frames: int, max_frames: int | None) -> None:
        """Log that an autoregressive model did not stop by itself and was cut at Coqui's limit."""
        if "max_decoder_steps" in self.model.config:
            max_frames = self.model.config.max_decoder_steps * self.model.decoder.r
        if max_frames and frames >= max_frames:
            log.warning("an utterance was cut after %d frames: the model did not end it", frames)

    def griffin_lim(self, mel: torch.Tensor) -> Any:
        """Return samples for frames in rows, without a vocoder, as Coqui does."""
        from TTS.tts.utils.synthesis import inv_spectrogram

        return inv_spectrogram(mel.cpu().numpy(), self.model.ap, self.model.config)


class Vocoder:
    """A generator, and the audio processor with the scale of its training spectrograms."""

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
    """Build the model and the vocoder of a baked voice on their mapped weights.

    Raises:
        ArtifactError: Coqui cannot build them, or the weights do not fit.
    """
    facts = artifact.manifest.voice
    with without_initialisation():
        model = _open_model(artifact)
        vocoder = _open_vocoder(artifact) if VOCODER_CONFIG_FILE in artifact.buffers else None
    voice = MelVoice(model, vocoder, {"speakers": facts.speakers, "languages": facts.languages})
    if vocoder is None:
        # Its code is compiled at first use: here, for all workers.
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


def _has_rate(model: Any) -> bool:
    """Whether the family has a rate of its own."""
    return hasattr(model, "length_scale") or (hasattr(model, "duration_threshold") and model.deterministic_transition)


def _apply_prosody(model: Any, utterance: Utterance) -> dict[str, float]:
    """Set the family's rate and variation on the model; return those that it takes with the text."""
    prosody = utterance.prosody
    if hasattr(model, "length_scale"):
        model.length_scale = prosody.duration_scale
    if hasattr(model, "inference_noise_scale"):
        model.inference_noise_scale = prosody.noise_scale
    if not hasattr(model, "duration_threshold"):
        return {}
    # A state ends when the probability of staying in it falls below the threshold. It falls
    # geometrically, so a duration is proportional to the threshold's logarithm.
    threshold = model.duration_threshold**prosody.duration_scale
    # Coqui's limit alone, 11 s unless configured, would cut long sentences and slow ones.
    limit = max(model.max_sampling_time, MAX_FRAMES_OF_ID * len(utterance.ids)) * max(1.0, prosody.duration_scale)
    return {"sampling_temp": prosody.noise_scale, "duration_threshold": threshold, "max_sampling_time": round(limit)}


def _interpolate(frames: torch.Tensor, scale: float) -> torch.Tensor:
    """Return a spectrogram `scale` times as long: the rate of families without one of their own."""
    if scale == 1:
        return frames
    long = torch.nn.functional.interpolate(frames.T.unsqueeze(0), scale_factor=scale, mode="linear")
    return long.squeeze(0).T
