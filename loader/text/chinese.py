"""The word segmenter of Coqui's Chinese phonemizer, from a model that the artifact carries.

Left alone, spacy-pkuseg looks for its model in the home directory and downloads it at
first use. So the bake takes the model into the artifact, and it is opened from there.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: What a model of spacy-pkuseg consists of; in an artifact each has PREFIX before its name.
MODEL_FILES = ("features.msgpack", "weights.npz")
PREFIX = "pkuseg."


def prepare(module: Any, files: Mapping[str, Any]) -> None:
    """Give Coqui's `module` its segmenter. Runs in the master before the fork.

    Raises:
        KeyError: the artifact has no model.
    """
    import spacy_pkuseg

    # It reads its model from a folder, and all of it at once.
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        for name in MODEL_FILES:
            (Path(folder) / name).write_bytes(files[PREFIX + name])
        module._seg = spacy_pkuseg.pkuseg(folder)
