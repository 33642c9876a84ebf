"""The bake for the `coqui` engine: plain weights, and configurations that name nothing outside the artifact."""

from pathlib import Path

from loader.artifacts.release import Release
from loader.bake.checkpoint import read_config
from loader.bake.contents import Contents
from loader.bake.coqui.mel import bake_mel_voice
from loader.bake.stages import Stage
from loader.engines.coqui.building import MEL_FAMILIES
from loader.errors import UnsupportedModelError


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write a release of any family but VITS into `target`.

    Raises:
        LoaderError: any of its children.
    """
    with stage("reading config.json"):
        config = read_config(release)
    family = config.model.lower()
    if family == "xtts":
        from loader.bake.coqui.xtts import bake_xtts

        return bake_xtts(release, config, target, stage)
    if family == "vits":
        raise UnsupportedModelError(f"{release.config_path}: engine 'coqui' speaks what is not VITS; set engine: auto")
    if family not in MEL_FAMILIES:
        raise UnsupportedModelError(
            f"{release.config_path}: model {config.model!r}; this version speaks vits, xtts, {', '.join(MEL_FAMILIES)}"
        )
    return bake_mel_voice(release, config, target, stage)
