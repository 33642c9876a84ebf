"""Random Coqui checkpoint of LJSpeech's size: `python -m ops.benchmarks.checkpoints DIRECTORY` writes a sealed release.

A program, so that the process that needs one does not import torch and TTS.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SEED = 7


def large_release(releases: Path) -> Path:
    """Return the directory of a voice of LJSpeech's size below `releases`; written on the first call."""
    directory = releases / "ljspeech-size"
    if not (directory / "hash.sha256").exists():
        subprocess.run([sys.executable, "-m", "ops.benchmarks.checkpoints", str(directory)], cwd=ROOT, check=True)
    return directory


def phoneme_config(name: str) -> Any:
    """Return a VITS configuration as in tts_models/en/ljspeech/vits, of the default size: 83 million parameters."""
    from TTS.tts.configs.vits_config import VitsConfig

    return VitsConfig(
        run_name=name, text_cleaner="phoneme_cleaners", use_phonemes=True, phonemizer="espeak",
        phoneme_language="en-us", add_blank=True, enable_eos_bos_chars=False,
    )  # fmt: skip


def fill(model: Any) -> Any:
    """Give layers that Coqui initialises with zeros small random weights, and those of speaker and language more weight.

    Half of the network would have no effect otherwise, and no test could see a mistake in it.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.any():
                parameter.normal_(0.0, 0.02)
            if "cond" in name or name == "emb_l.weight":
                parameter.mul_(6.0)
    return model


def import_libraries() -> None:
    """Make Coqui importable, and seed torch."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import torch

    torch.manual_seed(_SEED)


def _write_large(directory: Path) -> None:
    import_libraries()
    import torch
    from TTS.tts.models.vits import Vits

    from loader.artifacts.release import seal_release

    directory.mkdir(parents=True, exist_ok=True)
    model = fill(Vits(phoneme_config("ljspeech")))
    torch.save({"model": model.state_dict()}, directory / "model_file.pth")
    model.config.save_json(str(directory / "config.json"))
    seal_release(directory, "random-ljspeech", ["config.json", "model_file.pth"])


if __name__ == "__main__":
    _write_large(Path(sys.argv[1]))
