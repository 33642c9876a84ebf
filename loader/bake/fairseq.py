"""Voices of fairseq's MMS: the original VITS code's files, through Coqui's own reader of them."""

import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from loader.bake.coqui_vits import build_vits
from loader.bake.weights_file import read_weights_file, weights_of
from loader.bake.wording import one_line
from loader.engines.compat import coqui_package
from loader.errors import BakeError
from loader.releases.configuration import parse_document
from loader.releases.release import CONFIG_FILE, Release

VOCABULARY_FILE = "vocab.txt"


def load_fairseq(release: Release) -> Any:
    """Return Coqui's Vits with a voice of fairseq, loaded by Coqui's own reader.

    Raises:
        BakeError: a file is missing, or is not one of such a voice.
    """
    from TTS.tts.configs.vits_config import VitsConfig

    if VOCABULARY_FILE not in release.hashes:
        raise BakeError(f"{release.directory}: a fairseq voice without {VOCABULARY_FILE} in hash.sha256; add it and seal again")
    config = VitsConfig()
    config.model_args.init_discriminator = False
    model = build_vits(config, release)
    path = release.checkpoint_path
    weights = weights_of(read_weights_file(path), path)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _write_plain(release, Path(folder))
            coqui_package.replace_fairseq_reader(lambda _path: _saved(weights))
            model.load_fairseq_checkpoint(config, Path(folder) / path.name, eval=True, strict=True)
    except Exception as error:  # Coqui's readers share no base class of errors
        raise BakeError(f"{path}: Coqui cannot read it: {one_line(error)}") from error
    # Coqui calls a voice English if its files name no language; the configuration may name it.
    model.language_manager.name_to_id = {}
    return model


def _write_plain(release: Release, folder: Path) -> None:
    """Write the configuration and the vocabulary of a fairseq voice as Coqui's strict readers take them."""
    document = parse_document(release.config_path.read_bytes())
    (folder / CONFIG_FILE).write_text(json.dumps(document), encoding="utf-8")
    vocabulary = (release.directory / VOCABULARY_FILE).read_text(encoding="utf-8-sig")
    (folder / VOCABULARY_FILE).write_text(vocabulary, encoding="utf-8")


def _saved(weights: Mapping[str, Any]) -> io.BytesIO:
    file = io.BytesIO()
    torch.save({"model": dict(weights)}, file)
    file.seek(0)
    return file
