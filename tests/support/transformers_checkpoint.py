"""Random VITS voices of Hugging Face's transformers: `python -m tests.support.transformers_checkpoint DIRECTORY SPEAKERS`."""

import json
import sys
from pathlib import Path

_SYMBOLS = "k'zyuisdntejoalhfwmprb xvgqc-_"


def write_transformers(directory: Path, speakers: int) -> None:
    """Write the files of a model on Hugging Face's hub: weights, configuration, vocabulary and the tokenizer's settings."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import torch
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    from tests.support.family_checkpoints import fill

    torch.manual_seed(7)
    directory.mkdir(parents=True, exist_ok=True)
    several = {"num_speakers": speakers, "speaker_embedding_size": 24} if speakers > 1 else {}
    config = VitsConfig(
        vocab_size=len(_SYMBOLS) + 1, num_hidden_layers=2, ffn_dim=64, upsample_initial_channel=64, noise_scale_duration=0.5,
        prior_encoder_num_wavenet_layers=2, posterior_encoder_num_wavenet_layers=2, speaking_rate=0.8, **several,
    )  # fmt: skip
    model = VitsModel(config)
    fill(model)
    model.save_pretrained(directory)
    vocabulary = directory / "vocab.json"
    vocabulary.write_text(json.dumps({symbol: row for row, symbol in enumerate(_SYMBOLS)}))
    VitsTokenizer(
        str(vocabulary), pad_token="k", unk_token="<unk>", language="eng", normalize=True, phonemize=False, is_uroman=False
    ).save_pretrained(directory)


if __name__ == "__main__":
    write_transformers(Path(sys.argv[1]), int(sys.argv[2]))
