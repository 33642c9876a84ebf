"""The two voices that are measured, built once and kept where the tests keep theirs."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import ROOT
from .report import progress
from .servers import ours, started

CACHE = ROOT / "tests" / ".cache"
#: A first bake reads a checkpoint with torch and optimises three graphs.
_BAKE_S = 900.0


@dataclass(frozen=True)
class Measured:
    """A baked voice, and the Coqui model directory it was baked from."""

    #: As a configuration names it.
    model_path: str
    release: Path


def large_voice(scratch: Path) -> Measured:
    """Return a voice of LJSpeech's size, random weights; it sounds like nothing and costs the same."""
    release = CACHE / "releases" / "ljspeech-size"
    if not (release / "hash.sha256").exists():
        progress("writing a checkpoint of LJSpeech's size, once")
        subprocess.run([sys.executable, "-m", "tests.support.checkpoints", "ljspeech", str(release)], cwd=ROOT, check=True)
    bake(str(release), scratch)
    return Measured(str(release), release)


def embedded_voice(scratch: Path) -> Measured:
    """Return the embedded voice."""
    bake("embedded/joe", scratch)
    return Measured("embedded/joe", next((CACHE / "releases").glob("embedded-*")))


def write_config(scratch: Path, model_path: str, workers: int, **more: Any) -> Path:
    """Write a configuration for `workers` workers and return its path."""
    path = scratch / "tts_config.yaml"
    settings = {"model_path": model_path, "cache_dir": str(CACHE), "workers": workers, "log_format": "json", **more}
    # JSON is YAML.
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def bake(model_path: str, scratch: Path, **more: Any) -> None:
    """Start a server once, with `more` in its configuration, and speak: bakes what is missing, warms the page cache."""
    named = " ".join([Path(model_path).name, *map(str, more.values())])
    progress(f"preparing {named}; baked if this is the first time")
    with started(ours(write_config(scratch, model_path, 1, **more)), scratch / "bake.log") as server:
        server.await_ready(within_s=_BAKE_S)
        server.speak("Ready.")
