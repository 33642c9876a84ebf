"""The bake of a Piper voice for the `onnx` engine. Needs numpy, onnx and ONNX Runtime; neither torch nor Coqui nor Piper."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import VoiceFacts
from loader.bake.graphs.reach import vits_facts
from loader.bake.graphs.weights import Array
from loader.bake.graphs.writing import write_graphs
from loader.bake.piper_graph import read_piper_graph
from loader.bake.piper_text import piper_text_facts, piper_voice_facts, require_rows
from loader.bake.voice import Contents, Stage
from loader.engines.vits import SPEAKERS_FILE
from loader.errors import BakeError
from loader.releases.release import Release

#: Frequencies of a recording, in hertz.
_MIN_RATE_HZ, _MAX_RATE_HZ = 4_000, 192_000


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write the graphs and the speakers' vectors of a Piper voice into `target`.

    Raises:
        BakeError: its graph is not a complete VITS, or does not belong to its configuration.
        UnsupportedModelError: this version does not make its kind of phonemes.
        IntegrityError: a weight is not finite.
    """
    with stage("reading Piper's graph"):
        config = _read_config(release.config_path)
        network, speakers = read_piper_graph(release.checkpoint_path)
        text = piper_text_facts(config)
        require_rows(text, len(network.embedding))
        voice = _voice_facts(release.config_path, config, speakers)
    with stage("writing and optimizing three graphs"):
        write_graphs(network, target)
        if speakers is not None:
            speakers.astype("<f4").tofile(target / SPEAKERS_FILE)
    return Contents(voice, text, {"vits": asdict(vits_facts(network))})


def _voice_facts(path: Path, config: Mapping[str, Any], speakers: Array | None) -> VoiceFacts:
    """Return the voice's facts, if they belong to the graph."""
    facts = piper_voice_facts(config)
    if not _MIN_RATE_HZ <= facts.sample_rate_hz <= _MAX_RATE_HZ:
        bound = f"{_MIN_RATE_HZ} to {_MAX_RATE_HZ}"
        raise BakeError(f"{path}: audio.sample_rate is {facts.sample_rate_hz}, limit {bound} Hz; use the file of this voice")
    named, known = max(1, len(facts.speakers)), 1 if speakers is None else len(speakers)
    if named != known:
        raise BakeError(f"{path}: num_speakers is {named}, and the graph knows {known}; use the file of this voice")
    return facts


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise BakeError(f"{path}: not the description of a Piper voice: {error}; use the file of this voice") from error
    if not isinstance(config, dict):
        raise BakeError(f"{path}: not the description of a Piper voice: not an object; use the file of this voice")
    return config
