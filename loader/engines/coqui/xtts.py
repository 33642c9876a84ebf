"""XTTS: a language model of sound, and its decoder. Speaks as the reference speakers that the release registered."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from loader.artifacts.artifact import Artifact
from loader.engines.base import Samples, Utterance
from loader.engines.compat.pure_torchaudio import load_torchaudio
from loader.engines.coqui import building
from loader.engines.weights import assign, mapped_tensors, placed, without_initialisation
from loader.errors import ArtifactError

CONFIG_FILE, WEIGHTS_FILE = "config.json", "weights.safetensors"
#: The latents of speaker n under `n.gpt` and `n.decoder`.
SPEAKERS_FILE = "speakers.safetensors"
#: The networks whose weights are kept, and of those the parts that only listen to reference recordings.
NETWORKS = ("gpt", "hifigan_decoder")
_LISTENING = {"gpt": ("conditioning_encoder", "conditioning_perceiver"), "hifigan_decoder": ("speaker_encoder",)}
#: The slowest that Coqui lets it speak.
_MOST_LENGTH_SCALE = 20

log = logging.getLogger("chorus.loader")


class XttsVoice:
    """XTTS with its weights in the artifact's mapping."""

    def __init__(
        self, networks: Mapping[str, Any], speakers: Sequence[tuple[torch.Tensor, torch.Tensor]], config: Any
    ) -> None:
        """Take networks that have their weights.

        Args:
            networks: each of `NETWORKS`.
            speakers: for each the latents that condition the language model and the decoder.
            config: Coqui's.
        """
        self.networks = networks
        self._speakers = speakers
        self._config = config

    @property
    def device(self) -> Any:
        """The torch device its weights are on."""
        return self._speakers[0][0].device

    def to(self, device: Any) -> "XttsVoice":
        """Return a copy on another torch device."""
        networks = {name: placed(network, device) for name, network in self.networks.items()}
        speakers = [(gpt.to(device), decoder.to(device)) for gpt, decoder in self._speakers]
        return XttsVoice(networks, speakers, self._config)

    def samples(self, utterance: Utterance) -> Samples:
        """Speak one utterance (see `Model.samples`), with what Coqui's `inference` does between text and file."""
        for_gpt, for_decoder = self._speakers[utterance.speaker]
        with torch.inference_mode():
            ids = torch.tensor([list(utterance.ids)], dtype=torch.int32, device=for_gpt.device)
            codes = self._codes(ids, for_gpt, utterance.prosody.noise_scale)
            latents = self._latents(ids, codes, for_gpt)
            latents = _stretched(latents, min(utterance.prosody.stretch, _MOST_LENGTH_SCALE))
            spoken: torch.Tensor = self.networks["hifigan_decoder"](latents, g=for_decoder)
        return np.asarray(spoken.cpu().numpy(), dtype=np.float32).reshape(-1)

    def _codes(self, ids: torch.Tensor, condition: torch.Tensor, temperature: float) -> torch.Tensor:
        """Return what the language model says, a code for each 1024 samples or so, shape (1, n)."""
        gpt, config = self.networks["gpt"], self._config
        # Nothing is drawn at temperature 0, which generate() would refuse.
        chance = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        codes: torch.Tensor = gpt.generate(
            cond_latents=condition, text_inputs=ids, top_p=config.top_p, top_k=config.top_k, num_beams=1,
            num_return_sequences=1, length_penalty=config.length_penalty, repetition_penalty=config.repetition_penalty,
            output_attentions=False, **chance,
        )  # fmt: skip
        if codes.shape[-1] >= gpt.max_gen_mel_tokens:
            log.warning("an utterance was cut after %d codes: the model did not end it", codes.shape[-1])
        return codes

    def _latents(self, ids: torch.Tensor, codes: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        gpt = self.networks["gpt"]
        lengths = [torch.tensor([n], device=ids.device) for n in (ids.shape[-1], codes.shape[-1] * gpt.code_stride_len)]
        latents: torch.Tensor = gpt(
            ids, lengths[0], codes, lengths[1], cond_latents=condition, return_attentions=False, return_latent=True
        )
        return latents


def open_xtts(artifact: Artifact) -> XttsVoice:
    """Build the networks of a baked XTTS and lend them their weights.

    Raises:
        ArtifactError: Coqui cannot build them, or the weights do not fit.
    """
    config = building.config_of(artifact.buffers[CONFIG_FILE])
    weights = mapped_tensors(artifact.buffers[WEIGHTS_FILE], WEIGHTS_FILE)
    with without_initialisation():
        model = _built(artifact, config)
        networks = {name: getattr(model, name) for name in NETWORKS}
        for name, network in networks.items():
            forget_listening(name, network)
            assign(network, within(weights, name))
        networks["gpt"].init_gpt_for_inference(kv_cache=model.args.kv_cache)
        networks["gpt"].eval()
    latents = mapped_tensors(artifact.buffers[SPEAKERS_FILE], SPEAKERS_FILE)
    rows = range(len(artifact.manifest.voice.speakers))
    return XttsVoice(networks, [(latents[f"{row}.gpt"], latents[f"{row}.decoder"]) for row in rows], config)


def build_xtts(config: Any) -> Any:
    """Return Coqui's Xtts without weights; the configuration says how many symbols its vocabulary has."""
    load_torchaudio()
    from TTS.tts.models.xtts import Xtts

    return Xtts(config)


def forget_listening(name: str, network: Any) -> None:
    """Take out of one of the networks what only computes the latents of a reference speaker."""
    for part in _LISTENING[name]:
        network._modules.pop(part, None)


def within(weights: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the weights of the network of that name, named from within it."""
    return {key.removeprefix(f"{name}."): each for key, each in weights.items() if key.startswith(f"{name}.")}


def _built(artifact: Artifact, config: Any) -> Any:
    try:
        return build_xtts(config)
    except Exception as error:  # Coqui's constructors raise anything
        reason = f"Coqui cannot build it: {error}; bake the voice again"
        raise ArtifactError(f"{artifact.directory}/{CONFIG_FILE}: {reason}") from error


def _stretched(latents: torch.Tensor, scale: float) -> torch.Tensor:
    if scale == 1:
        return latents
    return torch.nn.functional.interpolate(latents.transpose(1, 2), scale_factor=scale, mode="linear").transpose(1, 2)
