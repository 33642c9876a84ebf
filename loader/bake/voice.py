"""One release to one artifact: the bake, from first to last line."""

import importlib
from pathlib import Path

from loader.artifacts.artifact import PRECISION, Manifest, artifact_key, this_platform, write_manifest
from loader.artifacts.release import open_release
from loader.artifacts.resolve import source_facts
from loader.bake.stages import Stage


def bake_voice(source: Path, target: Path, engine: str, stage: Stage) -> None:
    """Verify the release in `source` and write its artifact for `engine` into the empty folder `target`.

    Raises:
        LoaderError: any of its children; `target` may then hold some files.
    """
    with stage(f"verifying {source}"):
        release = open_release(source)
    with stage("starting torch and Coqui"):
        from loader.engines.compat import coqui_package

        coqui_package.import_coqui()
    contents = importlib.import_module(f"loader.bake.{engine}").bake(release, target, stage)
    with stage("sealing"):
        platform = this_platform(engine)
        about = source_facts(release)
        key = artifact_key(engine, about, platform)
        write_manifest(
            target, Manifest(key, engine, PRECISION, platform, about, contents.voice, contents.text, contents.network)
        )
