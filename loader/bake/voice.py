"""The bake of one voice: a verified release to a sealed artifact."""

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import (
    PRECISION,
    Manifest,
    TextFacts,
    VoiceFacts,
    artifact_key,
    this_platform,
    write_manifest,
)
from loader.artifacts.resolve import source_facts
from loader.releases.release import Verify, open_release


@dataclass(frozen=True)
class Contents:
    """The part of a manifest that depends on the voice."""

    voice: VoiceFacts
    #: None if the engine has a front end of its own.
    text: TextFacts | None
    #: For the engine alone, in types of JSON.
    network: Mapping[str, Any]


#: Prints a stage's name on entering, and its duration on leaving.
Stage = Callable[[str], AbstractContextManager[None]]


def bake_voice(source: Path, target: Path, engine: str, stage: Stage, verify: Verify = "require") -> None:
    """Verify the release in `source` and write its artifact for `engine` into the empty folder `target`.

    Args:
        source: a model directory, or the checkpoint in one.
        target: the folder.
        engine: its name.
        stage: prints the stages.
        verify: what a model directory needs to be accepted.

    Raises:
        LoaderError: any of its children; `target` may then hold some files.
    """
    with stage(f"verifying {source}"):
        release = open_release(source, verify=verify)
    if not release.is_piper:
        with stage("starting torch and Coqui"):
            from loader.engines.compat import coqui_package

            coqui_package.import_coqui()
    maker = "piper" if release.is_piper else engine
    contents = importlib.import_module(f"loader.bake.{maker}").bake(release, target, stage)
    with stage("sealing"):
        platform = this_platform(engine)
        about = source_facts(release)
        key = artifact_key(engine, about, platform)
        write_manifest(
            target, Manifest(key, engine, PRECISION, platform, about, contents.voice, contents.text, contents.network)
        )
