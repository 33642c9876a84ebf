"""Coqui's own VITS with given noise: `python -m tests.loader.bake.native RELEASE SEED OUTPUT [CHOICES]`.

Only the import of Coqui is code of this project: configuration, model, `load_checkpoint`, tokenizer and
`inference` are Coqui's. CHOICES is a JSON list of pairs of speaker and language, as `BaseTTS.synthesize` takes them.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEXT = "The quick brown fox jumps over the lazy dog, and nobody minds."
#: Files that a configuration names by their paths at the training; Coqui's downloader changes these paths as it unpacks.
_NAMED_FILES = ("speakers_file", "d_vector_file", "language_ids_file")


def speak(release: Path, seed: int, output: Path, choices: Sequence[tuple[str | None, str | None]]) -> None:
    """Write ids, samples, and the shapes of the noise that `inference` drew, numbered by choice."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import numpy as np

    model = _fairseq(release) if (release / "vocab.txt").exists() else _coqui(release)
    said: dict[str, Any] = {}
    for number, (speaker, language) in enumerate(choices):
        for name, value in _spoken(model, seed, speaker, language).items():
            said[f"{name}_{number}"] = value
    prosody = [model.length_scale, model.inference_noise_scale, model.inference_noise_scale_dp]
    np.savez(output, prosody=prosody, **said)


def _coqui(release: Path) -> Any:
    from TTS.config import load_config
    from TTS.tts.models.vits import Vits

    config = load_config(str(release / "config.json"))
    for key in _NAMED_FILES:
        if isinstance(named := config.model_args[key], list):
            config.model_args[key] = [str(release / Path(each).name) for each in named]
        elif named:
            config.model_args[key] = str(release / Path(named).name)
    model = Vits(config)
    model.load_checkpoint(config, str(release / "model_file.pth"), eval=True, strict=True)
    return model


def _fairseq(release: Path) -> Any:
    """Load as `TTS.utils.synthesizer` does for a model name such as `tts_models/deu/fairseq/vits`."""
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    config = VitsConfig()
    model = Vits(config)
    model.load_fairseq_checkpoint(config, release / "G_100000.pth", eval=True)
    return model


def _spoken(model: Any, seed: int, speaker: str | None, language: str | None) -> dict[str, Any]:
    """Do the same as `BaseTTS.synthesize`, with noise from our seed."""
    import numpy as np
    import torch

    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    drawn = []

    def noise(*shape: int, **_options: Any) -> Any:
        drawn.append(shape)
        return torch.from_numpy(random.standard_normal(shape, dtype=np.float32))

    language_id = model._get_language_id(language)
    if language is None and model.language_manager.num_languages == 1:
        language = model.language_manager.language_names[0]
    ids = model.tokenizer.text_to_ids(TEXT, language=language)
    speaker_id, d_vector = model._get_speaker_id_or_dvector(speaker)
    if not model.args.use_sdp:
        # Our engine draws the noise of the durations even if it is not used.
        random.standard_normal((1, 2, len(ids)), dtype=np.float32)
    torch.randn = noise
    torch.randn_like = lambda like, **_options: noise(*like.shape)
    samples = model.inference(torch.tensor([ids]), {
        "x_lengths": torch.tensor([len(ids)]),
        "speaker_ids": speaker_id,
        "d_vectors": d_vector,
        "language_ids": None if language_id is None else torch.tensor([language_id]),
    })["model_outputs"][0, 0].numpy()  # fmt: skip
    return {"ids": ids, "samples": samples, "shapes": np.array(drawn)}


if __name__ == "__main__":
    speak(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]) if sys.argv[4:] else [(None, None)])
