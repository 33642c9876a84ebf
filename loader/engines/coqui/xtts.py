"""XTTS: a language model of sound, its decoder, and its tokenizer. Speaks as the registered reference speakers."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from loader.artifacts.artifact import Artifact
from loader.engines.base import Samples, Utterance
from loader.engines.compat.torch_imports import load_torchaudio
from loader.engines.coqui import building
from loader.engines.weights import assign, mapped_tensors, placed, without_initialisation
from loader.errors import ArtifactError
from loader.text.lexicon.lexicon import Pronunciation
from loader.text.reading import Reading
from loader.text.sentences import split_at_breaks

CONFIG_FILE, WEIGHTS_FILE = "config.json", "weights.safetensors"
#: The latents of speaker n under `n.gpt` and `n.decoder`.
SPEAKERS_FILE = "speakers.safetensors"
#: The networks whose weights are kept, and their parts that only encode reference recordings.
NETWORKS = ("gpt", "hifigan_decoder")
_REFERENCE_PARTS = {"gpt": ("conditioning_encoder", "conditioning_perceiver"), "hifigan_decoder": ("speaker_encoder",)}
#: Coqui's bound of slow speech.
_MAX_LENGTH_SCALE = 20
VOCABULARY_FILE = "vocab.json"
#: Characters of a piece of text in languages without a limit in Coqui's tokenizer.
_DEFAULT_CHARACTERS = 250

log = logging.getLogger("chorus.loader")


class BpeFrontEnd:
    """XTTS's front end: the ids of Coqui's VoiceBpeTokenizer, in pieces that fit one pass."""

    def __init__(self, tokenizer: Any, max_ids: int) -> None:
        """Take Coqui's tokenizer, and the bound of an utterance's ids."""
        self._tokenizer = tokenizer
        self._max_ids = max_ids

    @property
    def symbols(self) -> Collection[str]:
        """None: XTTS reads letters."""
        return ()

    def utterances(
        self, sentence: str, language: str, given: Sequence[Pronunciation] = ()
    ) -> Iterator[Reading | None]:
        """Yield the ids of one sentence, cut if it is too long for one pass; None for a piece without sound."""
        limit = self._tokenizer.char_limits.get(language.split("-")[0], _DEFAULT_CHARACTERS)
        for piece in split_at_breaks(sentence, limit):
            if any(map(str.isalnum, piece)):
                yield from self._split(piece, language)
            else:
                yield None

    def read(self, text: str, language: str) -> str:
        """Return no phonemes: XTTS has none."""
        return ""

    def _split(self, piece: str, language: str) -> Iterator[Reading]:
        ids = self._ids(piece.strip().lower(), language)
        if len(ids) <= self._max_ids:
            yield Reading(ids, piece)
        elif len(piece) > 1:
            for half in split_at_breaks(piece, -(-len(piece) // 2)):
                yield from self._split(half, language)

    def _ids(self, text: str, language: str) -> list[int]:
        try:
            return list(self._tokenizer.encode(text, lang=language))
        except MemoryError:
            raise
        except Exception as error:  # third-party code over any text; its errors share no base class
            log.info("a sentence stays as written: the tokenizer's cleaners raised %s", type(error).__name__)
            plain = language.split("-")[0]
            named = f"[{'zh-cn' if plain == 'zh' else plain}]{text}".replace(" ", "[SPACE]")
            return list(self._tokenizer.tokenizer.encode(named).ids)


def open_front_end(artifact: Artifact) -> BpeFrontEnd:
    """Return the front end of a baked XTTS. Runs in the master, or in the worker that opens the voice."""
    tokenizer = coqui_tokenizer(bytes(artifact.buffers[VOCABULARY_FILE]))
    return BpeFrontEnd(tokenizer, artifact.manifest.network["xtts"]["most_ids"])


def coqui_tokenizer(vocabulary: bytes) -> Any:
    """Return Coqui's tokenizer over a vocabulary in the `tokenizers` library's JSON.

    Raises:
        ArtifactError: the vocabulary is invalid.
    """
    from tokenizers import Tokenizer
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    tokenizer = VoiceBpeTokenizer()
    try:
        tokenizer.tokenizer = Tokenizer.from_buffer(vocabulary)
    except Exception as error:  # the library raises Exception itself
        raise ArtifactError(f"{VOCABULARY_FILE}: not a vocabulary: {error}; bake the voice again") from error
    return tokenizer


class XttsVoice:
    """XTTS with its weights in the artifact's mapping."""

    def __init__(
        self, networks: Mapping[str, Any], speakers: Sequence[tuple[torch.Tensor, torch.Tensor]], config: Any
    ) -> None:
        """Take networks with their weights.

        Args:
            networks: each of `NETWORKS`.
            speakers: the latents of each for the language model and the decoder.
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
        """Speak one utterance (see `Model.samples`), by the steps of Coqui's `inference`."""
        assert isinstance(utterance.speaker, int), "this engine mixes no speakers"
        for_gpt, for_decoder = self._speakers[utterance.speaker]
        with torch.inference_mode():
            ids = torch.tensor([list(utterance.ids)], dtype=torch.int32, device=for_gpt.device)
            codes = self._codes(ids, for_gpt, utterance.prosody.noise_scale)
            latents = self._latents(ids, codes, for_gpt)
            latents = _interpolate(latents, min(utterance.prosody.duration_scale, _MAX_LENGTH_SCALE))
            spoken: torch.Tensor = self.networks["hifigan_decoder"](latents, g=for_decoder)
        return np.asarray(spoken.cpu().numpy(), dtype=np.float32).reshape(-1)

    def _codes(self, ids: torch.Tensor, condition: torch.Tensor, temperature: float) -> torch.Tensor:
        """Return the language model's output, one code for about 1024 samples, shape (1, n)."""
        gpt, config = self.networks["gpt"], self._config
        # generate() refuses temperature 0, which draws nothing.
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        codes: torch.Tensor = gpt.generate(
            cond_latents=condition, text_inputs=ids, top_p=config.top_p, top_k=config.top_k, num_beams=1,
            num_return_sequences=1, length_penalty=config.length_penalty, repetition_penalty=config.repetition_penalty,
            output_attentions=False, **sampling,
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
    """Build the networks of a baked XTTS on their mapped weights.

    Raises:
        ArtifactError: Coqui cannot build them, or the weights do not fit.
    """
    config = building.config_of(artifact.buffers[CONFIG_FILE])
    weights = mapped_tensors(artifact.buffers[WEIGHTS_FILE], WEIGHTS_FILE)
    with without_initialisation():
        try:
            model = build_xtts(config)
        except Exception as error:  # Coqui's constructors raise anything
            reason = f"Coqui cannot build it: {error}; bake the voice again"
            raise ArtifactError(f"{artifact.directory}/{CONFIG_FILE}: {reason}") from error
        networks = {name: getattr(model, name) for name in NETWORKS}
        for name, network in networks.items():
            drop_reference_parts(name, network)
            assign(network, within(weights, name))
        networks["gpt"].init_gpt_for_inference(kv_cache=model.args.kv_cache)
        networks["gpt"].eval()
    latents = mapped_tensors(artifact.buffers[SPEAKERS_FILE], SPEAKERS_FILE)
    rows = range(len(artifact.manifest.voice.speakers))
    return XttsVoice(networks, [(latents[f"{row}.gpt"], latents[f"{row}.decoder"]) for row in rows], config)


def build_xtts(config: Any) -> Any:
    """Return Coqui's Xtts without weights; the configuration has the number of symbols of its vocabulary."""
    load_torchaudio()
    from TTS.tts.models.xtts import Xtts

    return Xtts(config)


def drop_reference_parts(name: str, network: Any) -> None:
    """Remove the parts of a network that only compute the latents of a reference speaker."""
    for part in _REFERENCE_PARTS[name]:
        network._modules.pop(part, None)


def within(weights: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the weights of the network of that name, without its prefix."""
    return {key.removeprefix(f"{name}."): each for key, each in weights.items() if key.startswith(f"{name}.")}


def _interpolate(latents: torch.Tensor, scale: float) -> torch.Tensor:
    if scale == 1:
        return latents
    return torch.nn.functional.interpolate(latents.transpose(1, 2), scale_factor=scale, mode="linear").transpose(1, 2)
