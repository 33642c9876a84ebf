"""What the master and the process that prepares a revision tell each other, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import RolloutError
from app.rollout.releases import Candidate
from loader.config.settings import Settings
from loader.errors import ConfigError, LoaderError

#: Keys of the configuration that a running server cannot change, and the fields of `Settings` that hold them.
FIXED_KEYS: Mapping[str, str] = {
    "bind": "bind", "preload": "preload", "log_format": "log_format", "cache_dir": "cache_folder", "device": "device",
}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A voice that is served now."""

    name: str
    #: Its artifact, and the key of that.
    artifact: str
    key: str


@dataclass(frozen=True)
class Order:
    """What the master asks for."""

    #: Absolute path of the configuration.
    config: str
    #: Of the running revision.
    revision: str
    log_format: str
    #: Values of `FIXED_KEYS`.
    fixed: Mapping[str, Any]
    voices: tuple[Served, ...]
    workers: int
    #: What a worker has for itself, in bytes.
    worker_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    #: Id of the prepared revision; "" if it is refused.
    revision: str = ""
    #: The artifact of each voice.
    artifacts: tuple[str, ...] = ()
    #: Why it is refused.
    refusal: str | None = None
    #: Releases that it brings in, or that are the reason of the refusal.
    candidates: tuple[Candidate, ...] = ()
    #: Measured: by voice, the length of the probe's audio, its level and how many times as long it takes as before.
    probes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def fixed_values(settings: Settings) -> dict[str, Any]:
    """Return the values of `FIXED_KEYS`."""
    return {key: getattr(settings, name) for key, name in FIXED_KEYS.items()}


def reason_of(error: BaseException) -> str:
    """Return an error as one line."""
    if isinstance(error, ConfigError):
        return f"{error.path}: {'; '.join(error.problems)}"
    text = " ".join(str(error).split())
    return text if isinstance(error, LoaderError | RolloutError) else f"{type(error).__name__}: {text}"
