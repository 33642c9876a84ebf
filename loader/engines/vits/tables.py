"""What every engine for VITS voices takes from an artifact beside its networks: tables and facts."""

import numpy as np

from loader.artifacts.artifact import Artifact
from loader.engines.vits.inference import WINDOW_FRAMES, Array, Conditions, Networks, VitsEngine, VitsFacts

#: Float32, a row for each of the manifest's speakers or languages. Absent where a voice has no such choice.
SPEAKERS_FILE, LANGUAGES_FILE = "speakers.f32", "languages.f32"


def vits_engine(networks: Networks, artifact: Artifact, window_frames: int = WINDOW_FRAMES) -> VitsEngine:
    """Return the engine that drives `networks`, which were opened from `artifact`, by windows of at most so many frames."""
    voice = artifact.manifest.voice
    conditions = Conditions(
        _table(artifact, SPEAKERS_FILE, len(voice.speakers)), _table(artifact, LANGUAGES_FILE, len(voice.languages))
    )
    return VitsEngine(networks, VitsFacts(**artifact.manifest.network["vits"]), conditions, window_frames)


def _table(artifact: Artifact, name: str, rows: int) -> Array | None:
    """Return a view of the artifact's own mapping."""
    if name not in artifact.buffers:
        return None
    return np.frombuffer(artifact.buffers[name], dtype=np.float32).reshape(rows, -1)
