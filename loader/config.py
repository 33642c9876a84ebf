"""tts_config.yaml to frozen dataclasses. Reads one file; knows no environment, no defaults elsewhere.

The schema below is the only place that knows a key: its default, its bounds and its
one-line description. The README's table is compared with it by a test.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import voluptuous as vol

from loader.document import read_document
from loader.errors import ConfigError
from loader.validation import absent_or, address, device, digest, flag, label, number, one_of, text, whole


def _key(name: str, default: Any, description: str) -> vol.Optional:
    return vol.Optional(name, default=default, description=description)


_ENGINES = ("auto", "onnx", "pytorch", "coqui")

_VOICE = vol.Schema(
    {
        vol.Required("name", description="what clients call the voice"): text,
        vol.Required("model_path", description="as `model_path` above"): text,
        _key("version", None, "as `version` above"): absent_or(label),
        _key("aliases", list, "further names for the same voice"): [text],
        _key("engine", None, "as `engine` above, for this voice"): absent_or(one_of(*_ENGINES)),
        _key("speaker", None, "who speaks unless a request says otherwise; default: the voice's first"): absent_or(label),
        _key("language", None, "what it speaks unless a request says otherwise, and the name of an only language; default: the voice's first"): absent_or(label),
        _key("length_scale", None, "as `speech.length_scale`, for this voice"): absent_or(number(0.1, 10.0)),
        _key("noise_scale", None, "as `speech.noise_scale`, for this voice"): absent_or(number(0.0, 2.0)),
        _key("noise_scale_duration", None, "as `speech.noise_scale_duration`, for this voice"): absent_or(number(0.0, 2.0)),
        _key("preload", None, "open it before the fork; default: only the first voice is, the others when they first speak"): absent_or(flag),
    }
)

_QUANTIZATION = vol.Schema(
    {
        _key("enabled", False, "accepted for the article's files; full precision is served until the int8 gate exists"): flag,
        _key("backend", "onnx", "`pytorch` or `onnx`"): one_of("pytorch", "onnx"),
    }
)

_LIMITS = vol.Schema(
    {
        _key("text_characters", 20_000, "longest text of one request; longer is refused with 413, never cut"): whole(1, 1_000_000),
        _key("body_bytes", 262_144, "largest request body; larger is refused with 413"): whole(1_024, 16_777_216),
    }
)

_API_KEYS = vol.Schema(
    {
        _key("sha256", list, "who may ask for speech: the hash of each API key, as `chorus key` says it; default: anybody"): [digest],
        _key("public_listings", True, "models and voices are listed without a key too, as Open WebUI asks for them"): flag,
    }
)

_SPEECH = vol.Schema(
    {
        _key("sentence_pause_s", 0.45, "silence between sentences, in seconds (Coqui's own servers use 0.45)"): number(0.0, 10.0),
        _key("length_scale", None, "slower above 1, faster below; default: what the voice was trained with"): absent_or(number(0.1, 10.0)),
        _key("noise_scale", None, "variation of the sound; default: the voice's own"): absent_or(number(0.0, 2.0)),
        _key("noise_scale_duration", None, "variation of the rhythm; default: the voice's own"): absent_or(number(0.0, 2.0)),
        _key("first_clause", True, "a long first sentence is cut after its first clause, so that audio starts early"): flag,
        _key("parallel", True, "several threads speak one request while cores are idle; the audio is the same"): flag,
    }
)

SCHEMA = vol.Schema(
    {
        _key("model_path", None, "a Coqui model directory, a baked artifact, a Coqui model name (`tts_models/...`), or `embedded/joe`"): absent_or(text),
        _key("version", None, "what the model's version.txt must say; any when absent"): absent_or(label),
        _key("device", "cpu", "`cpu`, `cuda` or `cuda:N`; voices of the `onnx` engine speak on the CPU in any case"): device,
        _key("device_retry_after_s", None, "how long the device is left alone after its memory was full, in seconds; default: until the marker is reset"): absent_or(number(1.0, 31_536_000.0)),
        _key("use_cache", True, "keep baked artifacts in `cache_dir`; false bakes anew at every start"): flag,
        _key("mmap", True, "map the weights (shared, read on demand); false reads them into the master's memory"): flag,
        _key("quantization", dict, "int8, as in the article"): _QUANTIZATION,
        _key("voices", list, "several voices; the first is the default one. Excludes `model_path`"): [_VOICE],
        _key("engine", "auto", "`onnx` or `pytorch` for VITS, `coqui` for the other families, or `auto`: `onnx` on a CPU, `pytorch` on CUDA, `coqui` for the rest"): one_of(*_ENGINES),
        _key("preload", True, "open voices in the master and fork; false opens them in every worker from the same files"): flag,
        _key("cache_dir", "~/.cache/chorus", "where artifacts and the embedded voice are kept"): text,
        _key("bind", "127.0.0.1:8080", "HOST:PORT or unix:PATH"): address,
        _key("workers", None, "worker processes; default: one per usable core"): absent_or(whole(1, 512)),
        _key("threads", 4, "requests one worker serves at a time"): whole(2, 64),
        _key("request_timeout_s", 120.0, "how long a stopping worker may finish its requests, in seconds"): number(1.0, 3600.0),
        _key("log_format", "logfmt", "`logfmt` or `json`"): one_of("logfmt", "json"),
        _key("limits", dict, "what is refused"): _LIMITS,
        _key("api_keys", dict, "who is let in"): _API_KEYS,
        _key("speech", dict, "how the voices speak"): _SPEECH,
    }
)  # fmt: skip


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


@dataclass(frozen=True)
class ApiKeys:
    """Who may use the server."""

    #: Lower-case hexadecimal SHA-256 of each key; anybody may where there is none.
    sha256: tuple[str, ...]
    public_listings: bool


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
    cache_dir: Path
    bind: str
    workers: int | None
    threads: int
    request_timeout_s: float
    log_format: str
    limits: Limits
    api_keys: ApiKeys
    speech: SpeechSettings


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
        voices=tuple(_located(voice, path.parent) for voice in _voices(values)),
        quantization=Quantization(**values["quantization"]),
        cache_dir=_anchored(values["cache_dir"], path.parent),
        limits=Limits(**values["limits"]),
        api_keys=ApiKeys(tuple(values["api_keys"]["sha256"]), values["api_keys"]["public_listings"]),
        speech=SpeechSettings(**values["speech"]),
        **{key: values[key] for key in _PLAIN_KEYS},
    )


_PLAIN_KEYS = (
    "device", "device_retry_after_s", "use_cache", "mmap", "engine", "preload", "bind", "workers", "threads", "request_timeout_s", "log_format",
)  # fmt: skip


def _schema_problems(document: Any, error: vol.MultipleInvalid) -> list[str]:
    """Describe every problem; voluptuous itself stops at the first bad item of a list."""
    voices = document.get("voices") if isinstance(document, dict) else None
    if not isinstance(voices, list):
        return [_problem(each) for each in error.errors]
    problems = [_problem(each) for each in error.errors if each.path[:1] != ["voices"]]
    for index, voice in enumerate(voices):
        try:
            _VOICE(voice)
        except vol.MultipleInvalid as inner:
            problems += [_problem(each, "voices", index) for each in inner.errors]
    return problems


def _problem(error: vol.Invalid, *parents: str | int) -> str:
    where = ".".join(str(part) for part in (*parents, *error.path)) or "the file"
    message = {
        "extra keys not allowed": "unknown key",
        "required key not provided": "missing",
        "expected a dictionary": "expected keys and values",
    }.get(error.msg, error.msg)
    return f"{where}: {message}"


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
        problems.append("api_keys.sha256: no key is listed, so anybody would be let in; chorus key draws one, or leave api_keys out")
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
                problems.append(f"{where}: {name!r} is already {owners[name]}")
    return problems


def _located(voice: VoiceSettings, base: Path) -> VoiceSettings:
    """Anchor a relative model directory to the configuration file's folder."""
    named = voice.model_path.startswith(("embedded/", "tts_models/"))
    if named:
        return voice
    return replace(voice, model_path=str(_anchored(voice.model_path, base)))


def _anchored(written: str, base: Path) -> Path:
    # Unlike Path.expanduser, this leaves `~somebody` alone where there is no somebody.
    return (base / os.path.expanduser(written)).absolute()
