"""A VITS of Hugging Face's transformers, such as `facebook/mms-tts-eng`, as Coqui's network: other names, equal layers."""

import json
import re
from collections.abc import Mapping
from typing import Any

import torch

from loader.bake.coqui_vits import build_vits
from loader.bake.weights_file import read_weights_file, weights_of
from loader.bake.wording import one_line
from loader.errors import BakeError, UnsupportedModelError
from loader.releases.configuration import parse_document, read_document
from loader.releases.release import Release

VOCABULARY_FILE, TOKENIZER_FILE = "vocab.json", "tokenizer_config.json"
_WAY_ROUND = "take the original checkpoint, which the voice's maker converted, as a Coqui or fairseq directory"
#: Applied in this order to the name of every weight.
_NAMES = (
    (r"^text_encoder\.embed_tokens\.", "text_encoder.emb."),
    (r"^text_encoder\.project\.", "text_encoder.proj."),
    (r"\.layers\.(\d+)\.attention\.emb_rel_", r".attn_layers.\1.emb_rel_"),
    (r"\.layers\.(\d+)\.attention\.([qkv])_proj\.", r".attn_layers.\1.conv_\2."),
    (r"\.layers\.(\d+)\.attention\.out_proj\.", r".attn_layers.\1.conv_o."),
    (r"\.layers\.(\d+)\.layer_norm\.weight", r".norm_layers_1.\1.gamma"),
    (r"\.layers\.(\d+)\.layer_norm\.bias", r".norm_layers_1.\1.beta"),
    (r"\.layers\.(\d+)\.final_layer_norm\.weight", r".norm_layers_2.\1.gamma"),
    (r"\.layers\.(\d+)\.final_layer_norm\.bias", r".norm_layers_2.\1.beta"),
    (r"\.layers\.(\d+)\.feed_forward\.", r".ffn_layers.\1."),
    (r"^decoder\.upsampler\.", "waveform_decoder.ups."),
    (r"^decoder\.cond\.", "waveform_decoder.cond_layer."),
    (r"^decoder\.", "waveform_decoder."),
    (r"^embed_speaker\.", "emb_g."),
    (r"\.wavenet\.", ".enc."),
    (r"(^duration_predictor\.|\.)(post_)?conv_dds\.", r"\1\2convs."),
    (r"\.convs_dilated\.", ".convs_sep."),
    (r"\.convs_pointwise\.", ".convs_1x1."),
    (r"\.norms_([12])\.(\d+)\.weight", r".norms_\1.\2.gamma"),
    (r"\.norms_([12])\.(\d+)\.bias", r".norms_\1.\2.beta"),
    (r"\.translate$", ".translation"),
    (r"^((?:flow|duration_predictor)\..*?)(post_)?conv_pre\.", r"\1\2pre."),
    (r"^(duration_predictor\..*?)(post_)?conv_proj\.", r"\1\2proj."),
    (r"^(flow\..*)conv_post\.", r"\1post."),
)


def load_transformers(release: Release) -> Any:
    """Return Coqui's Vits with the weights, the settings and the vocabulary of a release of transformers.

    Raises:
        UnsupportedModelError: a variant that Coqui's network has no place for.
        BakeError: a file is missing, or the weights do not fit.
    """
    document = parse_document(release.config_path.read_bytes())
    _require_supported(release, document)
    config = _config(document)
    symbols = _read_vocabulary(release)
    model = build_vits(config, release)
    model.text_encoder.emb = torch.nn.Embedding(int(document.get("vocab_size", len(symbols))), model.args.hidden_channels)
    model.tokenizer = _tokenizer(symbols, _tokenizer_settings(release))
    # As a voice of fairseq: its files name no language that Coqui knows.
    model.language_manager.name_to_id = {}
    return model


def read_weights(release: Release, model: Any) -> dict[str, Any]:
    """Return the weights of a release of transformers under Coqui's names, in the form that `model` has them."""
    path = release.checkpoint_path
    renamed = {_renamed(name): each.float() for name, each in weights_of(read_weights_file(path), path).items()}
    own = model.state_dict()
    weights = {}
    for name, each in renamed.items():
        if name not in own and f"{name.removesuffix('weight')}parametrizations.weight.original1" in own:
            stem = name.removesuffix("weight") + "parametrizations.weight.original"
            # A plain weight in place of a length and a direction.
            weights[f"{stem}0"] = each.norm(dim=tuple(range(1, each.dim())), keepdim=True)
            weights[f"{stem}1"] = each
        elif name in own and each.dim() == 2 and own[name].dim() == 3:
            weights[name] = each.unsqueeze(-1)  # a linear layer as a convolution of width 1
        else:
            weights[name] = each
    return weights


def _renamed(name: str) -> str:
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _require_supported(release: Release, document: Mapping[str, Any]) -> None:
    kept = {
        "use_stochastic_duration_prediction": True, "window_size": 4, "use_bias": True, "hidden_act": "relu",
        "depth_separable_channels": 2, "depth_separable_num_layers": 3, "duration_predictor_flow_bins": 10,
        "duration_predictor_num_flows": 4, "duration_predictor_kernel_size": 3, "prior_encoder_num_flows": 4,
        "leaky_relu_slope": 0.1, "duration_predictor_tail_bound": 5.0,
    }  # fmt: skip
    for key, value in kept.items():
        if document.get(key, value) != value:
            raise UnsupportedModelError(
                f"{release.config_path}: {key} is {document[key]!r}, and this version reads such voices with {value!r}; "
                f"{_WAY_ROUND}"
            )
    if document.get("hidden_size", 192) != document.get("flow_size", 192):
        raise UnsupportedModelError(f"{release.config_path}: hidden_size and flow_size differ; {_WAY_ROUND}")


def _config(document: Mapping[str, Any]) -> Any:
    from TTS.tts.configs.vits_config import VitsConfig

    config = VitsConfig()
    speakers = int(document.get("num_speakers", 1))
    config.speakers = [str(row) for row in range(speakers)] if speakers > 1 else []
    config.audio.sample_rate = int(document.get("sampling_rate", 16_000))
    settings: dict[str, Any] = {
        "init_discriminator": False, "length_scale": 1 / float(document.get("speaking_rate", 1.0)),
        "inference_noise_scale": float(document.get("noise_scale", 0.667)),
        "inference_noise_scale_dp": float(document.get("noise_scale_duration", 0.8)),
        "use_speaker_embedding": speakers > 1, "num_speakers": speakers if speakers > 1 else 0,
    }  # fmt: skip
    for own, theirs in {
        "hidden_channels": "hidden_size", "hidden_channels_ffn_text_encoder": "ffn_dim", "out_channels": "spectrogram_bins",
        "num_heads_text_encoder": "num_attention_heads", "num_layers_text_encoder": "num_hidden_layers",
        "kernel_size_text_encoder": "ffn_kernel_size", "num_layers_flow": "prior_encoder_num_wavenet_layers",
        "num_layers_posterior_encoder": "posterior_encoder_num_wavenet_layers", "kernel_size_flow": "wavenet_kernel_size",
        "dilation_rate_flow": "wavenet_dilation_rate", "upsample_rates_decoder": "upsample_rates",
        "upsample_kernel_sizes_decoder": "upsample_kernel_sizes", "resblock_kernel_sizes_decoder": "resblock_kernel_sizes",
        "resblock_dilation_sizes_decoder": "resblock_dilation_sizes",
        "upsample_initial_channel_decoder": "upsample_initial_channel", "speaker_embedding_channels": "speaker_embedding_size",
    }.items():  # fmt: skip
        if theirs in document:
            settings[own] = document[theirs]
    config.model_args.update(settings)
    return config


def _read_vocabulary(release: Release) -> list[str]:
    """Return the symbols by row; rows that the vocabulary does not name have a symbol that no text has."""
    if VOCABULARY_FILE not in release.hashes:
        raise BakeError(f"{release.directory}: a VITS of transformers without {VOCABULARY_FILE}; add it and seal again")
    path = release.directory / VOCABULARY_FILE
    try:
        rows = {int(row): symbol for symbol, row in json.loads(path.read_text(encoding="utf-8-sig")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BakeError(f"{path}: not a vocabulary: {one_line(error)}") from error
    if not rows:
        raise BakeError(f"{path}: an empty vocabulary; take the file of the same voice")
    return [rows.get(row, f"<{row}>") for row in range(max(rows) + 1)]


def _tokenizer_settings(release: Release) -> Mapping[str, Any]:
    # Without the file: the settings of transformers itself would phonemize; voices of MMS do not.
    listed = TOKENIZER_FILE in release.hashes
    return read_document(release.directory / TOKENIZER_FILE) if listed else {"phonemize": False}


def _tokenizer(symbols: list[str], settings: Mapping[str, Any]) -> Any:
    from TTS.tts.models.vits import FairseqVocab
    from TTS.tts.utils.text import cleaners
    from TTS.tts.utils.text.phonemizers import get_phonemizer_by_name
    from TTS.tts.utils.text.tokenizer import TTSTokenizer

    vocabulary = FairseqVocab(vocab=None)
    vocabulary._vocab = symbols
    vocabulary.blank, vocabulary.pad = symbols[0], " "
    vocabulary._char_to_id = {symbol: row for row, symbol in enumerate(symbols)}
    vocabulary._id_to_char = dict(enumerate(symbols))
    phonemizes = bool(settings.get("phonemize", True))
    cleaner = cleaners.basic_cleaners if settings.get("normalize", True) else cleaners.no_cleaners
    return TTSTokenizer(
        use_phonemes=phonemizes,
        text_cleaner=cleaners.uroman_cleaners if settings.get("is_uroman") else cleaner,
        characters=vocabulary,
        # The only language that transformers gives to its phonemizer.
        phonemizer=get_phonemizer_by_name("espeak", language="en-us") if phonemizes else None,
        add_blank=bool(settings.get("add_blank", True)),
        use_eos_bos=False,
    )
