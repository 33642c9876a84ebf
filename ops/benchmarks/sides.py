"""The sides of `ops/bench engines`: our engines and Coqui's own API, on one voice, with one thread each."""

import json
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from .processes import Child, conversing, hear, say
from .servers import Kind, ours
from .voices import Measured, bake, write_config

WORKERS = 4
#: What every side runs under: one thread for OpenMP and the libraries that count for themselves.
ONE_THREAD: Mapping[str, str] = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


@dataclass(frozen=True)
class Ours:
    """One of our engines."""

    name: str
    config_path: Path
    scratch: Path

    def speaker(self) -> AbstractContextManager[Child]:
        """Start a process that speaks, without a server."""
        return conversing(_python("alone", str(self.config_path)), self.scratch / "alone.log", ONE_THREAD)

    def say(self, child: Child, text: str, seed: int, soon: bool) -> None:
        """Ask that process for a text, or `soon` for the first window of it."""
        say(child, [json.dumps({"text": text, "seed": seed, "soon": soon})])

    def server(self) -> Kind:
        """Return the server that speaks with this engine."""
        kind = ours(self.config_path)
        return replace(kind, environment={**kind.environment, **ONE_THREAD})


@dataclass(frozen=True)
class Native:
    """Coqui's own API in a process of its own."""

    release: Path
    scratch: Path
    name: str = "native"

    def speaker(self) -> AbstractContextManager[Child]:
        """Start a process that speaks."""
        return conversing(_python("native", str(self.release), "--untrimmed"), self.scratch / "native.log", ONE_THREAD)

    def say(self, child: Child, text: str, seed: int, soon: bool) -> None:
        """Ask that process for a text; it knows neither seeds nor windows."""
        say(child, [text])


@dataclass(frozen=True)
class Sides:
    """Everything that is compared on one voice."""

    #: `large` or `embedded`.
    label: str
    voice: Measured
    ours: tuple[Ours, ...]
    native: Native
    scratch: Path

    @property
    def all(self) -> tuple[Ours | Native, ...]:
        """Ours, then native."""
        return (*self.ours, self.native)


def sides_of(label: str, voice: Measured, engines: tuple[str, ...], scratch: Path) -> Sides:
    """Bake `voice` for every engine that is asked for, and return all sides of it."""
    return Sides(
        label, voice, tuple(_ours(label, voice, engine, scratch) for engine in engines), Native(voice.release, scratch), scratch
    )


def answer_s(child: Child) -> float:
    """Return the seconds of audio the child answers with."""
    return float(hear(child))


def _ours(label: str, voice: Measured, engine: str, scratch: Path) -> Ours:
    folder = scratch / f"{label}-{engine}"
    folder.mkdir()
    bake(voice.model_path, folder, engine=engine)
    return Ours(engine, write_config(folder, voice.model_path, WORKERS, engine=engine), folder)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"ops.benchmarks.{module}", *arguments]
