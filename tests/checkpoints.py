"""Random Coqui checkpoints: `python -m tests.checkpoints SIZE DIRECTORY` writes a sealed release.

Run as a program, so that the process that asks for one does not import torch and TTS.
"""

import sys
from pathlib import Path

#: VitsConfig's own defaults, as in tts_models/en/ljspeech/vits: 83 million parameters.
LJSPEECH_SIZE = "ljspeech"
#: The same architecture, thin: bakes in seconds.
TINY_SIZE = "tiny"


def write_random_release(size: str, directory: Path) -> None:
    """Write `model_file.pth`, `config.json`, `version.txt` and `hash.sha256`.

    Layers that Coqui starts at zero get small random weights, or half of the network
    would have nothing to do and no test could see a mistake in it.
    """
    from loader.coqui import import_coqui

    import_coqui()
    import torch
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    from loader.release import seal_release

    config = VitsConfig(
        run_name=size, text_cleaner="phoneme_cleaners", use_phonemes=True, phonemizer="espeak",
        phoneme_language="en-us", add_blank=True, enable_eos_bos_chars=False,
    )  # fmt: skip
    if size == TINY_SIZE:
        _make_thin(config.model_args)
    torch.manual_seed(7)
    model = Vits(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0.0, 0.02)
    directory.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict()}, directory / "model_file.pth")
    model.config.save_json(str(directory / "config.json"))
    seal_release(directory, f"random-{size}", ["config.json", "model_file.pth"])


def _make_thin(arguments: object) -> None:
    thin = {
        "hidden_channels": 32, "hidden_channels_ffn_text_encoder": 64, "num_layers_text_encoder": 2,
        "upsample_initial_channel_decoder": 64, "num_layers_posterior_encoder": 2, "num_layers_flow": 2,
        "init_discriminator": False,
    }  # fmt: skip
    for name, value in thin.items():
        setattr(arguments, name, value)


if __name__ == "__main__":
    write_random_release(sys.argv[1], Path(sys.argv[2]))
