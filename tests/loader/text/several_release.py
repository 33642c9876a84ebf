"""A small VITS of five languages and four phonemizers: `python -m tests.loader.text.several_release DIRECTORY`.

Random weights; text settings of `several phonemizers` in text_voices. Imports torch and TTS.
"""

import json
import sys
from pathlib import Path

from tests.loader.text.text_voices import config_of, voices


def main(directory: Path) -> None:
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import torch
    from TTS.tts.models.vits import Vits

    from loader.releases.sealing import seal_release
    from tests.support.checkpoints import _make_thin

    torch.manual_seed(7)
    config = config_of(voices()["several phonemizers"])
    _make_thin(config.model_args)
    rows = {language: row for row, language in enumerate(reversed(config.languages))}
    languages = directory / "language_ids.json"
    languages.write_text(json.dumps(rows), encoding="utf-8")
    config.model_args.update(
        {"use_language_embedding": True, "embedded_language_dim": 4, "language_ids_file": str(languages)}
    )
    model = Vits(config)
    torch.save({"model": model.state_dict()}, directory / "model_file.pth")
    model.config.save_json(str(directory / "config.json"))
    seal_release(directory, "1", ["config.json", "model_file.pth", "language_ids.json"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
