"""A random XTTS, as small as Coqui's classes allow, with one speaker of latents and one recording."""

import wave
from pathlib import Path

_CHANNELS, _CODES = 64, 40
_CORPUS = "hello from one of many workers. ein satz auf deutsch, mit zahlen. une phrase en francais. " * 4


def write_xtts(directory: Path) -> None:
    """Write checkpoint, configuration, vocabulary, latents and a recording."""
    import torch

    from loader.engines.coqui.xtts import build_xtts
    from tests.support.family_checkpoints import RECORDED, fill

    tokens = _write_vocabulary(directory / "vocab.json")
    config = _config()
    config.save_json(str(directory / "config.json"))
    config.model_args.gpt_number_text_tokens, config.model_args.gpt_start_text_token = tokens["count"], tokens["[START]"]
    config.model_args.gpt_stop_text_token = tokens["[STOP]"]
    model = build_xtts(config)
    fill(model)
    torch.save({"model": model.state_dict()}, directory / "model.pth")
    latents = {"gpt_cond_latent": torch.randn(1, 32, _CHANNELS), "speaker_embedding": torch.randn(1, 512, 1) / 20}
    torch.save({"ana": latents}, directory / "speakers_xtts.pth")
    _write_recording(directory / f"speaker_{RECORDED}.wav")


def _config():
    from TTS.tts.configs.xtts_config import XttsConfig

    config = XttsConfig(languages=["en", "de", "zh-cn"])
    arguments = config.model_args
    arguments.gpt_layers, arguments.gpt_n_model_channels, arguments.gpt_n_heads = 2, _CHANNELS, 4
    arguments.decoder_input_dim, arguments.gpt_max_audio_tokens, arguments.gpt_use_perceiver_resampler = _CHANNELS, 16, True
    arguments.gpt_num_audio_tokens, arguments.gpt_start_audio_token = _CODES, _CODES - 2
    arguments.gpt_stop_audio_token = _CODES - 1
    config.top_k, config.gpt_cond_len, config.gpt_cond_chunk_len = 20, 2, 1
    return config


def _write_vocabulary(path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", "[de]", "[zh-cn]"]
    tokenizer.train_from_iterator([_CORPUS], trainers.BpeTrainer(vocab_size=120, special_tokens=special, show_progress=False))
    tokenizer.save(str(path))
    return {"count": tokenizer.get_vocab_size()} | {name: tokenizer.token_to_id(name) for name in special}


def _write_recording(path):
    import numpy as np

    seconds = np.arange(3 * 22050) / 22050
    tone = np.sin(2 * np.pi * 220 * seconds) * (1 + np.sin(2 * np.pi * 3 * seconds)) / 5
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes((tone * 32767).astype("<i2").tobytes())
