"""Coqui's own VITS speaking, with noise it is given: `python -m tests.loader.bake.native RELEASE SEED OUTPUT`.

Nothing of this project but the import of Coqui takes part: its configuration reader, its
model, its `load_checkpoint`, its tokenizer and its `inference`.
"""

import sys
from pathlib import Path

TEXT = "The quick brown fox jumps over the lazy dog, and nobody minds."


def speak(release: Path, seed: int, output: Path) -> None:
    """Write ids, samples, and the shapes of the noise that `inference` drew."""
    from loader.coqui import import_coqui

    import_coqui()
    import numpy as np
    import torch
    from TTS.config import load_config
    from TTS.tts.models.vits import Vits

    config = load_config(str(release / "config.json"))
    model = Vits(config)
    model.load_checkpoint(config, str(release / "model_file.pth"), eval=True, strict=True)
    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    drawn = []

    def noise(*shape, **_options):
        drawn.append(shape)
        return torch.from_numpy(random.standard_normal(shape, dtype=np.float32))

    ids = model.tokenizer.text_to_ids(TEXT)
    torch.randn = noise
    torch.randn_like = lambda like, **_options: noise(*like.shape)
    samples = model.inference(torch.tensor([ids]))["model_outputs"][0, 0].numpy()
    np.savez(
        output, ids=ids, samples=samples, shapes=np.array(drawn),
        prosody=[model.length_scale, model.inference_noise_scale, model.inference_noise_scale_dp],
    )  # fmt: skip


if __name__ == "__main__":
    speak(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
