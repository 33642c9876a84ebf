"""Settings: frozen dataclasses from tts_config.yaml. Reads one file and no environment. Bounds are in `loader.config.schema`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import voluptuous as vol

from loader.config.home import expanded
from loader.config.schema import SCHEMA, VOICE
from loader.config.validators import shown
from loader.config.yaml import read_document
from loader.errors import ConfigError


@dataclass(frozen=True)
class VoiceSettings:
    """One voice to be served, as written in the file."""

    name: str
    model_path: str
    version: str | None = None
    aliases: tuple[str, ...] = ()
    engine: str | None = None
    speaker: str | None = None
    language: str | None = None
    length_scale: float | None = None
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    #: Open it before the fork; None: only where it is the first.
    preload: bool | None = None


@dataclass(frozen=True)
class Quantization:
    """What the article's file asks for."""

    enabled: bool
    backend: str


@dataclass(frozen=True)
class Limits:
    """What a request may ask for."""

    text_characters: int
    body_bytes: int
    #: Of what is made as a whole before any of it is sent.
    audio_s: float = 7_200.0
    answer_bytes: int = 134_217_728
    #: Of all pauses between the sentences of one request.
    silence_s: float = 3_600.0


@dataclass(frozen=True)
class ApiKeys:
    """Who may use the server."""

    #: Lower-case hexadecimal SHA-256 of each key; anybody may where there is none.
    sha256: tuple[str, ...]
    public_listings: bool


@dataclass(frozen=True)
class AdmissionSettings:
    """Who waits, and for how long."""

    #: Requests that may wait, in all workers together.
    queue: int
    wait_s: float
    #: How long a worker may take for the next piece of audio.
    stall_s: float
    #: Answers of one worker that wait for slow clients.
    parked: int = 32


@dataclass(frozen=True)
class WatchdogSettings:
    """What is done about memory that grows."""

    #: Syntheses of one worker between two samples.
    every: int
    #: Between two samples, as a fraction.
    growth: float
    #: Of a request.
    leak_bytes: int
    #: `log`, `trim` or `replace`.
    action: str
    trace: bool


@dataclass(frozen=True)
class SpeechSettings:
    """How voices speak unless a request says otherwise; None means the voice's own value."""

    sentence_pause_s: float
    length_scale: float | None
    noise_scale: float | None
    noise_scale_duration: float | None
    first_clause: bool = True
    parallel: bool = True


@dataclass(frozen=True)
class Settings:
    """The whole file, validated. Read once, before anything else runs."""

    path: Path
    voices: tuple[VoiceSettings, ...]
    device: str
    #: Seconds until a device whose memory was full is tried again; None: never by itself.
    device_retry_after_s: float | None
    use_cache: bool
    mmap: bool
    quantization: Quantization
    engine: str
    preload: bool
    #: As `cache_dir`; None if it counts from the home folder and there is none.
    cache_folder: Path | None
    bind: str
    workers: int | None
    threads: int
    request_timeout_s: float
    log_format: str
    limits: Limits
    admission: AdmissionSettings
    watchdog: WatchdogSettings
    api_keys: ApiKeys
    speech: SpeechSettings

    @property
    def cache_dir(self) -> Path:
        """Where artifacts and the embedded voice are kept, as an absolute path.

        Raises:
            ConfigError: it counts from the home folder, and there is none. What needs no cache does not ask.
        """
        if self.cache_folder is None:
            raise ConfigError(self.path, [f"cache_dir: {_NO_HOME}"])
        return self.cache_folder


_NO_HOME = "'~' means nothing here: HOME is not set to an absolute path; write an absolute path, or set HOME"


def load_settings(path: str | Path) -> Settings:
    """Read and validate `path`.

    Relative paths in the file are relative to the file.

    Raises:
        ConfigError: with every problem of the file, each with its key's path.
    """
    path = Path(path)
    document = read_document(path)
    problems = _contradictions(document)
    try:
        values = SCHEMA(document)
    except vol.MultipleInvalid as error:
        raise ConfigError(path, [*_schema_problems(document, error), *problems]) from error
    if problems:
        raise ConfigError(path, problems)
    return Settings(
        path=path,
        voices=_located(_voices(values), path),
        quantization=Quantization(**values["quantization"]),
        cache_folder=_anchored(values["cache_dir"], path.parent),
        limits=Limits(**values["limits"]),
        admission=AdmissionSettings(**values["admission"]),
        watchdog=WatchdogSettings(**values["watchdog"]),
        api_keys=ApiKeys(tuple(values["api_keys"]["sha256"]), values["api_keys"]["public_listings"]),
        speech=SpeechSettings(**values["speech"]),
        **{key: values[key] for key in _PLAIN_KEYS},
    )


_PLAIN_KEYS = (
    "device", "device_retry_after_s", "use_cache", "mmap", "engine", "preload", "bind", "workers", "threads",
    "request_timeout_s", "log_format",
)  # fmt: skip


def _schema_problems(document: Any, error: vol.MultipleInvalid) -> list[str]:
    """Describe every problem; voluptuous itself stops at the first bad item of a list."""
    voices = document.get("voices") if isinstance(document, dict) else None
    if not isinstance(voices, list):
        return [_problem(each) for each in error.errors]
    problems = [_problem(each) for each in error.errors if each.path[:1] != ["voices"]]
    for index, voice in enumerate(voices):
        try:
            VOICE(voice)
        except vol.MultipleInvalid as inner:
            problems += [_problem(each, "voices", index) for each in inner.errors]
    return problems


def _problem(error: vol.Invalid, *parents: str | int) -> str:
    where = ".".join(_part(part) for part in (*parents, *error.path)) or "the file"
    message = {
        "extra keys not allowed": "unknown key",
        "required key not provided": "missing",
        "expected a dictionary": "expected keys and values",
    }.get(error.msg, error.msg)
    return f"{where}: {message}"


def _part(part: Any) -> str:
    """Return one key of a path; what no key looks like is quoted and cut, since the file chose it."""
    written = str(part)
    return written if written.isprintable() and len(written) <= 60 else shown(part)


def _voices(values: dict[str, Any]) -> list[VoiceSettings]:
    if values["voices"]:
        return [VoiceSettings(**{**voice, "aliases": tuple(voice["aliases"])}) for voice in values["voices"]]
    name = Path(values["model_path"]).name
    return [VoiceSettings(name, values["model_path"], values["version"])]


def _contradictions(document: Any) -> list[str]:
    """Describe what is wrong between keys. The document may still break the schema."""
    if not isinstance(document, dict):
        return []
    voices, model_path = document.get("voices"), document.get("model_path")
    problems = []
    if not voices and model_path is None:
        problems.append("model_path: missing, and no voices are listed; name a model directory or embedded/joe")
    if voices and model_path is not None:
        problems.append("model_path: cannot stand beside voices; move it into the list")
    if voices and document.get("version") is not None:
        problems.append("version: cannot stand beside voices; move it into the list")
    keys = document.get("api_keys")
    if isinstance(keys, dict) and keys.get("sha256", []) == []:
        problems.append(
            "api_keys.sha256: no key is listed, so anybody would be let in; chorus key draws one, or leave api_keys out"
        )
    return problems + _names_used_twice(voices if isinstance(voices, list) else [])


def _names_used_twice(voices: list[Any]) -> list[str]:
    problems = []
    owners: dict[str, str] = {}
    for index, voice in enumerate(voices):
        entry = voice if isinstance(voice, dict) else {}
        aliases = entry.get("aliases")
        named = [(f"voices.{index}.name", entry.get("name"))]
        if isinstance(aliases, list):
            named += [(f"voices.{index}.aliases.{position}", alias) for position, alias in enumerate(aliases)]
        for where, name in named:
            if isinstance(name, str) and owners.setdefault(name, where) != where:
                problems.append(f"{where}: {shown(name)} is already {owners[name]}")
    return problems


def _located(voices: list[VoiceSettings], path: Path) -> tuple[VoiceSettings, ...]:
    """Anchor relative model directories to the configuration file's folder.

    Raises:
        ConfigError: some count from the home folder, and there is none.
    """
    located = [_located_voice(voice, path.parent) for voice in voices]
    problems = [f"model_path of voice {shown(voice.name)}: {_NO_HOME}" for voice, there in zip(voices, located) if there is None]
    if problems:
        raise ConfigError(path, problems)
    return tuple(voice for voice in located if voice is not None)


def _located_voice(voice: VoiceSettings, base: Path) -> VoiceSettings | None:
    if voice.model_path.startswith(("embedded/", "tts_models/")):
        return voice
    anchored = _anchored(voice.model_path, base)
    return None if anchored is None else replace(voice, model_path=str(anchored))


def _anchored(written: str, base: Path) -> Path | None:
    path = expanded(written)
    return None if path is None else (base / path).absolute()
