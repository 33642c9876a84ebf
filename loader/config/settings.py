"""Settings: every key of tts_config.yaml with its type, default, bounds and meaning, as frozen dataclasses.

A key is declared once, here; docs/configuration.md is generated from it. Reads one file and no environment but HOME.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from msgspec import Meta

from loader.config.home import expand_home, place_library_caches
from loader.config.location import has_parts, is_source, shown
from loader.config.validation import (
    Address,
    Device,
    Digest,
    Label,
    Origin,
    Problem,
    Text,
    format_value,
    keys_of,
    validate,
)
from loader.config.yaml import read_document
from loader.errors import ConfigError

_Engine = Literal["auto", "onnx", "pytorch", "coqui"]
#: YAML reads `off` without quotes as false.
_Verify = Annotated[Literal["require", "warn", "off"], Meta(extra={"parse": lambda value: "off" if value is False else value})]
_LengthScale = Annotated[float, Meta(ge=0.1, le=10.0)]
_NoiseScale = Annotated[float, Meta(ge=0.0, le=2.0)]


@dataclass(frozen=True)
class LexiconSettings:
    """A lexicon file."""

    path: Annotated[Text, Meta(description="a lexicon file, `.tsv` or `.pls`, see [lexicons](text.md#lexicon)")]
    language: Annotated[Label, Meta(description="language of its entries, such as `en`; a region has no effect")]


@dataclass(frozen=True)
class VoiceSettings:
    """One voice."""

    name: Annotated[Text, Meta(description="what clients call the voice")]
    model_path: Annotated[Text, Meta(description="as `model_path` above")]
    version: Annotated[Label | None, Meta(description="as `version` above")] = None
    verify: Annotated[_Verify | None, Meta(description="as `verify` above, for this voice")] = None
    aliases: Annotated[tuple[Text, ...], Meta(description="further names for the same voice")] = ()
    engine: Annotated[_Engine | None, Meta(description="as `engine` above, for this voice")] = None
    speaker: Annotated[Label | None, Meta(description="speaker of requests without one; default: the voice's first")] = None
    language: Annotated[Label | None, Meta(description="language of requests without one, and the name of an only language; default: the voice's first")] = None
    length_scale: Annotated[_LengthScale | None, Meta(description="as `speech.length_scale`, for this voice")] = None
    noise_scale: Annotated[_NoiseScale | None, Meta(description="as `speech.noise_scale`, for this voice")] = None
    noise_scale_duration: Annotated[_NoiseScale | None, Meta(description="as `speech.noise_scale_duration`, for this voice")] = None
    normalize: Annotated[bool | None, Meta(description="as `speech.normalize`, for this voice")] = None
    preload: Annotated[bool | None, Meta(description="open it before the fork; default: only the first voice is opened then, the others when they first speak")] = None
    lexicons: Annotated[tuple[LexiconSettings, ...], Meta(description="lexicon files of this voice; their entries take precedence over those of `speech.lexicons`")] = ()


@dataclass(frozen=True)
class Quantization:
    """int8, as in the article."""

    enabled: Annotated[bool, Meta(description="accepted for the article's files; full precision is served until the int8 gate exists")] = False
    backend: Annotated[Literal["pytorch", "onnx"], Meta(description="`pytorch` or `onnx`")] = "onnx"


@dataclass(frozen=True)
class Limits:
    """Largest request and answer."""

    text_characters: Annotated[int, Meta(ge=1, le=1_000_000, description="longest text of one request; longer is refused with 413, never cut")] = 20_000
    audio_s: Annotated[float, Meta(ge=1.0, le=604_800.0, description="longest audio of one whole file or of captions, in seconds; longer is refused with 413; streams may be of any length")] = 7_200.0
    answer_bytes: Annotated[int, Meta(ge=65_536, le=4_294_967_295, description="largest whole answer, kept in the system's folder of temporary files while it is made; larger is refused with 413; streams may be of any size")] = 134_217_728
    silence_s: Annotated[float, Meta(ge=0.0, le=604_800.0, description="longest total silence between the sentences of one request and by its markup, in seconds; longer is refused with 413")] = 3_600.0
    body_bytes: Annotated[int, Meta(ge=1_024, le=16_777_216, description="largest request body; larger is refused with 413")] = 262_144
    markup_bytes: Annotated[int, Meta(ge=1_024, le=16_777_216, description="longest SSML or Markdown of one request, tags included; longer is refused with 413. `text_characters` counts the text without tags")] = 262_144
    markup_depth: Annotated[int, Meta(ge=1, le=1_000, description="deepest nesting of SSML tags; deeper is refused with 400")] = 32
    markup_tags: Annotated[int, Meta(ge=1, le=1_000_000, description="most SSML tags of one request; more are refused with 400")] = 5_000
    lexicon_entries: Annotated[int, Meta(ge=0, le=10_000, description="most entries of a request's own `lexicon`; more are refused with 400")] = 200


@dataclass(frozen=True)
class AdmissionSettings:
    """Queue of requests, and time limits."""

    queue: Annotated[int, Meta(ge=0, le=1_000, description="requests that may wait while all workers are busy, over all workers; more are refused with 503 and a time to retry after")] = 64
    wait_s: Annotated[float, Meta(ge=0.1, le=3_600.0, description="how long a request may wait for its turn, in seconds; a client may set less with `X-Request-Timeout`")] = 30.0
    stall_s: Annotated[float, Meta(ge=1.0, le=3_600.0, description="a worker that makes no next piece of audio for this time is dumped, killed and replaced, in seconds; whole utterances of the `coqui` engine have ten times as long")] = 60.0
    parked: Annotated[int, Meta(ge=1, le=1_000, description="answers of each worker that may wait for slow clients, a thread each; for one more the slowest is cut")] = 32


@dataclass(frozen=True)
class RolloutSettings:
    """Bounds of a new revision, before workers serve it and while the first of them does."""

    canary_s: Annotated[float, Meta(ge=0.0, le=3_600.0, description="how long the first worker of a new revision is compared with the others before they are replaced, in seconds")] = 10.0
    slowdown: Annotated[float, Meta(ge=1.05, le=100.0, description="a voice that takes more than this many times as long as before is refused")] = 1.3
    length_ratio: Annotated[float, Meta(ge=1.05, le=100.0, description="a voice whose audio of the same sentence is more than this many times as long as before, or as short, is refused")] = 2.0


@dataclass(frozen=True)
class WatchdogSettings:
    """Leak detection."""

    every: Annotated[int, Meta(ge=10, le=1_000_000, description="syntheses of a worker between two samples of `tracemalloc` and of the device's allocator")] = 1_000
    growth: Annotated[float, Meta(ge=0.01, le=10.0, description="sustained growth of those two that is an alert, as a fraction")] = 0.1
    leak_bytes: Annotated[int, Meta(ge=16, le=1_073_741_824, description="steady growth that is an alert, in bytes a request")] = 512
    action: Annotated[Literal["log", "trim", "replace"], Meta(description="action after an alert: `log`, `trim`, or `replace` (the worker, between two requests)")] = "log"
    trace: Annotated[bool, Meta(description="keep `tracemalloc` on; false traces the last 40 syntheses before each sample, and some dozens when growth is suspected")] = False


@dataclass(frozen=True)
class ReleaseSettings:
    """Releases that are fetched, for voices whose `model_path` is a URL."""

    max_bytes: Annotated[int, Meta(ge=1_048_576, le=1_099_511_627_776, description="largest release, all its files together; a larger one is refused")] = 8_589_934_592
    timeout_s: Annotated[float, Meta(ge=1.0, le=3_600.0, description="how long a source may take to connect, and to send the next bytes, in seconds")] = 30.0
    public_key: Annotated[Text | None, Meta(description="a PEM file with an elliptic-curve public key; every release then needs a `model.sig` by it (extra `signing`)")] = None


@dataclass(frozen=True)
class ApiKeys:
    """Authentication."""

    sha256: Annotated[tuple[Digest, ...], Meta(extra={"is_secret": True}, description="hashes of the accepted API keys, as `chorus key` prints them; default: no key is needed")] = ()
    public_listings: Annotated[bool, Meta(description="models and voices are listed without a key too, as Open WebUI asks for them")] = True


@dataclass(frozen=True)
class SpeechSettings:
    """How voices speak unless a request says otherwise; None is the voice's own value."""

    sentence_pause_s: Annotated[float, Meta(ge=0.0, le=10.0, description="silence between sentences, in seconds (Coqui's own servers use 0.45)")] = 0.45
    length_scale: Annotated[_LengthScale | None, Meta(description="slower above 1, faster below; default: as trained")] = None
    noise_scale: Annotated[_NoiseScale | None, Meta(description="variation of the sound; default: the voice's own")] = None
    noise_scale_duration: Annotated[_NoiseScale | None, Meta(description="variation of the rhythm; default: the voice's own")] = None
    first_clause: Annotated[bool, Meta(description="a long first sentence is cut after its first clause, so that audio starts early")] = True
    normalize: Annotated[bool, Meta(description="read what is meant by numbers, signs, abbreviations and layout; false reads the text exactly as Coqui does")] = True
    text_format: Annotated[Literal["plain", "markdown", "ssml"], Meta(description="format of the text of requests that name none; a text that begins with `<speak` is SSML in any case")] = "plain"
    ssml: Annotated[Literal["strict", "lenient"], Meta(description="unknown SSML is refused with 400, or dropped and named in the header `X-Ignored-Markup`")] = "strict"
    pauses: Annotated[bool, Meta(description="`[pause:0.8s]` and `[pause:800ms]` in plain text are pauses")] = False
    unspeakable: Annotated[Literal["silence", "error"], Meta(description="a text without a sound, such as `---`, is answered with 0.2 s of silence and the header `X-Unspeakable`, or refused with 400")] = "silence"
    lexicons: Annotated[tuple[LexiconSettings, ...], Meta(description="lexicon files of all voices that speak their language; a term of a later file takes precedence")] = ()
    parallel: Annotated[bool, Meta(description="several threads speak one request while cores are idle; the audio is the same")] = True


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    #: None once loaded: `voices` then contains the only voice.
    model_path: Annotated[Text | None, Meta(description="a model directory or the checkpoint in one, a baked artifact, a Coqui model name (`tts_models/...`), `embedded/joe`, or the URL of a [source of releases](voices.md#releases)")] = None
    version: Annotated[Label | None, Meta(description="required content of the model's version.txt; default: any")] = None
    verify: Annotated[_Verify, Meta(description="`require`: a model directory is served if its files have the hashes in its `hash.sha256`; `warn`: one without that list too, if only this user and root can write it; `off`: so is every directory, and no list is compared")] = "require"
    device: Annotated[Device, Meta(description="`cpu`, `cuda` or `cuda:N`; voices of the `onnx` engine speak on the CPU in any case")] = "cpu"
    device_retry_after_s: Annotated[Annotated[float, Meta(ge=1.0, le=31_536_000.0)] | None, Meta(description="how long the device is not used after its memory was full, in seconds; default: until the marker is reset")] = None
    use_cache: Annotated[bool, Meta(description="keep baked artifacts in `cache_dir`; false bakes anew at every start")] = True
    mmap: Annotated[bool, Meta(description="map the weights (shared, read on demand); false reads them into the master's memory")] = True
    quantization: Annotated[Quantization, Meta(description="int8, as in the article")] = Quantization()
    voices: Annotated[tuple[VoiceSettings, ...], Meta(description="several voices; the first is the default one. Excludes `model_path`")] = ()
    engine: Annotated[_Engine, Meta(description="`onnx` or `pytorch` for VITS, `coqui` for the other families, or `auto`: `onnx` on a CPU, `pytorch` on CUDA, `coqui` for the rest")] = "auto"
    preload: Annotated[bool, Meta(description="open voices in the master and fork; false opens them in every worker from the same files")] = True
    close_unused_s: Annotated[Annotated[float, Meta(ge=1.0, le=31_536_000.0)] | None, Meta(description="how long a voice that is opened by its first speech stays open in a worker after its last one, in seconds; `null` for ever. The first voice and those with `preload: true` stay open")] = 900.0
    #: As written if it counts from the home folder and there is none, else absolute once loaded; `cache_dir` checks that.
    cache_folder: Annotated[Text, Meta(description="where artifacts and the embedded voice are kept")] = field(default="~/.cache/chorus", metadata={"key": "cache_dir"})
    bind: Annotated[Address, Meta(description="HOST:PORT or unix:PATH")] = "127.0.0.1:8080"
    workers: Annotated[Annotated[int, Meta(ge=1, le=512)] | None, Meta(description="worker processes; default: one per core that CPU affinity and the control groups' CPU quota allow")] = None
    threads: Annotated[int, Meta(ge=2, le=64, description="requests one worker serves at a time")] = 4
    request_timeout_s: Annotated[float, Meta(ge=1.0, le=3_600.0, description="how long a stopping worker may finish its requests, in seconds")] = 120.0
    log_format: Annotated[Literal["logfmt", "json"], Meta(description="`logfmt` or `json`")] = "logfmt"
    limits: Annotated[Limits, Meta(description="largest request and answer")] = Limits()
    admission: Annotated[AdmissionSettings, Meta(description="queue of requests, and time limits")] = AdmissionSettings()
    rollout: Annotated[RolloutSettings, Meta(description="bounds of a new revision")] = RolloutSettings()
    watchdog: Annotated[WatchdogSettings, Meta(description="leak detection")] = WatchdogSettings()
    releases: Annotated[ReleaseSettings, Meta(description="releases that are fetched")] = ReleaseSettings()
    api_keys: Annotated[ApiKeys, Meta(description="authentication")] = ApiKeys()
    cors_origins: Annotated[tuple[Origin, ...], Meta(description="origins whose pages may ask this server from a browser, such as `https://app.example.com` or `http://localhost:5173`, see [pages of other origins](api.md#pages-of-other-origins); `\"*\"` is every page, for servers without `api_keys`")] = ()
    speech: Annotated[SpeechSettings, Meta(description="how the voices speak")] = SpeechSettings()
    path: Path = field(default=Path("tts_config.yaml"), metadata={"key": None})

    @property
    def cache_dir(self) -> Path:
        """Where artifacts and the embedded voice are kept, as an absolute path.

        Raises:
            ConfigError: it counts from the home folder, and there is none. What needs no cache does not ask.
        """
        anchored = _resolve_path(self.cache_folder, self.path.parent)
        if anchored is None:
            raise ConfigError(self.path, [f"cache_dir: {_NO_HOME}"])
        return anchored

    def place_library_caches(self) -> None:
        """Have libraries keep their caches in `cache_dir`, if there is one. Call it before anything imports torch or Coqui."""
        with suppress(ConfigError):
            place_library_caches(self.cache_dir)

    @property
    def lexicon_files(self) -> tuple[LexiconSettings, ...]:
        """The lexicon files, each once."""
        of_voices = (each for voice in self.voices for each in voice.lexicons)
        return tuple(dict.fromkeys([*self.speech.lexicons, *of_voices]))


class KeyFacts(NamedTuple):
    """A key as documents show it."""

    #: Such as `limits.audio_s` or `voices[].name`.
    name: str
    default: Any
    meaning: str
    is_required: bool


def keys(kind: Any = Settings, prefix: str = "") -> Iterator[KeyFacts]:
    """Yield every key of the file, in the order of the declarations; the keys of a section follow its place."""
    for name, key in keys_of(kind).items():
        declared = key.declaration.type
        items = get_args(declared) if get_origin(declared) is tuple else ()
        if items and is_dataclass(items[0]):
            yield from keys(items[0], f"{prefix}{name}[].")
        elif is_dataclass(declared):
            yield from keys(declared, f"{prefix}{name}.")
        else:
            yield KeyFacts(f"{prefix}{name}", key.default, key.declaration.constraint("description"), key.is_required)


def bounds_of(name: str) -> tuple[float, float]:
    """Return the lowest and the highest value of a numeric key, such as `admission.queue`."""
    kind: Any = Settings
    for part in name.split("."):
        declaration = keys_of(kind)[part].declaration
        kind = declaration.type
    return declaration.constraint("ge"), declaration.constraint("le")


def load_settings(path: str | Path) -> Settings:
    """Read and validate `path`.

    Relative paths in the file are relative to the file.

    Raises:
        ConfigError: with every problem of the file, each with its key's path.
    """
    path = Path(path)
    document = read_document(path)
    settings, problems = validate(Settings, document)
    problems += _contradictions(document)
    if settings is None or problems:
        raise ConfigError(path, [str(problem) for problem in problems])
    voices = settings.voices
    if settings.model_path is not None:
        voices = (VoiceSettings(_name_of(settings.model_path), settings.model_path, settings.version),)
    cache = _resolve_path(settings.cache_folder, path.parent)
    key = settings.releases.public_key
    return replace(
        settings,
        path=path,
        model_path=None,
        version=None,
        voices=_resolve_model_paths(voices, path),
        speech=replace(settings.speech, lexicons=_resolve_lexicon_paths(settings.speech.lexicons, path)),
        cache_folder=settings.cache_folder if cache is None else str(cache),
        releases=replace(settings.releases, public_key=key and str(_resolve_path(key, path.parent) or key)),
    )


def _name_of(model_path: str) -> str:
    """Return the name of an only voice: the graph's of Piper, else the folder's, without what may be secret in a URL."""
    if is_source(model_path) and has_parts(model_path):
        return Path(shown(model_path)).name
    path = Path(model_path)
    if path.name.lower().endswith((".onnx", ".onnx.json")):
        return path.name.split(".onnx")[0]
    return path.parent.name if path.name.lower().endswith((".pth", ".pth.tar", ".pt", ".safetensors")) else path.name


_NO_HOME = "'~' cannot be expanded: HOME is not set to an absolute path; write an absolute path, or set HOME"


def _contradictions(document: Any) -> list[Problem]:
    """Return contradictions between keys. The document may have other problems too."""
    if not isinstance(document, dict):
        return []
    voices, model_path = document.get("voices"), document.get("model_path")
    problems = []
    if not voices and model_path is None:
        problems.append(
            Problem(("model_path",), "missing, and no voices are listed; name a model directory or embedded/joe")
        )
    for name in ("model_path", "version"):
        if voices and document.get(name) is not None:
            problems.append(Problem((name,), "cannot be combined with voices; move it into the list"))
    api_keys = document.get("api_keys")
    if isinstance(api_keys, dict) and api_keys.get("sha256", []) == []:
        message = "no key is listed, so every client would be let in; chorus key makes one, or leave api_keys out"
        problems.append(Problem(("api_keys", "sha256"), message))
    origins = document.get("cors_origins")
    if isinstance(origins, list) and "*" in origins and api_keys is not None:
        message = "'*' cannot be combined with api_keys: every page could use a key that it gets hold of; list the origins"
        problems.append(Problem(("cors_origins",), message))
    return problems + _names_used_twice(voices if isinstance(voices, list) else [])


def _names_used_twice(voices: list[Any]) -> list[Problem]:
    problems = []
    owners: dict[str, tuple[Any, ...]] = {}
    for index, voice in enumerate(voices):
        entry = voice if isinstance(voice, dict) else {}
        aliases = entry.get("aliases")
        named: list[tuple[tuple[Any, ...], Any]] = [(("voices", index, "name"), entry.get("name"))]
        if isinstance(aliases, list):
            named += [(("voices", index, "aliases", position), alias) for position, alias in enumerate(aliases)]
        for where, name in named:
            if isinstance(name, str) and owners.setdefault(name, where) != where:
                problems.append(Problem(where, f"{format_value(name)} is already {'.'.join(map(str, owners[name]))}"))
    return problems


def _resolve_model_paths(voices: tuple[VoiceSettings, ...], path: Path) -> tuple[VoiceSettings, ...]:
    """Resolve relative model directories against the configuration file's folder.

    Raises:
        ConfigError: some count from the home folder, and there is none.
    """
    resolved, problems = [], []
    for voice in voices:
        if is_source(voice.model_path) and not has_parts(voice.model_path):
            problems.append(f"model_path of voice {format_value(voice.name)}: not a URL; write one without spaces")
            continue
        is_name = voice.model_path.startswith(("embedded/", "tts_models/")) or is_source(voice.model_path)
        model_path = voice.model_path if is_name else _resolve_path(voice.model_path, path.parent)
        if model_path is None:
            problems.append(f"model_path of voice {format_value(voice.name)}: {_NO_HOME}")
        else:
            lexicons = _resolve_lexicon_paths(voice.lexicons, path)
            resolved.append(replace(voice, model_path=str(model_path), lexicons=lexicons))
    if problems:
        raise ConfigError(path, problems)
    return tuple(resolved)


def _resolve_lexicon_paths(lexicons: tuple[LexiconSettings, ...], path: Path) -> tuple[LexiconSettings, ...]:
    """Resolve relative paths of lexicon files as those of models.

    Raises:
        ConfigError: some count from the home folder, and there is none.
    """
    found = [(each, _resolve_path(each.path, path.parent)) for each in lexicons]
    if problems := [f"lexicon {format_value(each.path)}: {_NO_HOME}" for each, resolved in found if resolved is None]:
        raise ConfigError(path, problems)
    return tuple(replace(each, path=str(resolved)) for each, resolved in found)


def _resolve_path(path: str, base: Path) -> Path | None:
    """Return a path of the file as an absolute one; None if it is relative to the home folder and there is none."""
    expanded = expand_home(path)
    return None if expanded is None else (base / expanded).absolute()
