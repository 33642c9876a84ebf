"""`chorus import`: from a model as people have it to a voice that speaks, and the lines for the configuration."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import config_option
from app.cli.errors import CannotWriteError

if TYPE_CHECKING:
    from app.cli.output import Write
    from loader.config.settings import Settings, VoiceSettings
    from loader.releases.directory import ModelDirectory
    from loader.voices.voice import Voice

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAMES = ("tts_models/", "embedded/")
_REFUSED_IN_NAMES = re.compile(r"[/\\#~\x00-\x1f\x7f]")
#: The same sentence sounds the same each time.
_SEED = 0


@click.command("import", short_help="Take a model as it is, and make it a voice.")
@click.argument("source", metavar="PATH|NAME|URL")
@config_option
@click.option("--name", metavar="N", help="Name of the voice; default: after the folder or the model.")
@click.option("--checkpoint", metavar="NAME", help="The checkpoint to speak with, if the folder has several.")
@click.option("--language", metavar="L", help="Such as de; for models that do not name their language.")
@click.option("--version", metavar="V", help="Version of the release; default: the present version.txt, else 1.")
@click.option("--in-place", is_flag=True, help="Seal the folder where it is; default: copy the files below cache_dir.")
@click.option("--text", metavar="TEXT", help="Sentence to speak; default: one in the voice's language.")
@click.option("-o", "--output", metavar="FILE", help="Audio file of the sentence; default: N.wav.")
@click.pass_context
def import_voice(
    context: click.Context, source: str, config: Path, name: str | None, checkpoint: str | None, language: str | None,
    version: str | None, in_place: bool, text: str | None, output: str | None,
) -> None:  # fmt: skip
    """Import a model: look at it, seal it, bake it, speak a sentence, print the lines for the configuration.

    PATH is a model directory of Coqui or fairseq, a trainer's output folder, a Piper voice, or a
    checkpoint in such a folder; NAME is one that Coqui's downloader knows, or embedded/joe; URL is a
    source of releases. What is found and done goes to standard error, the lines for the configuration
    to standard output. The configuration is not changed, and need not exist.

    \b
    chorus import ~/runs/vits-November-30
    chorus import ~/Downloads/de_DE-thorsten-medium.onnx --name thorsten
    chorus import tts_models/de/thorsten/vits
    chorus import https://models.example.org/vctk/
    chorus import ~/voices/vctk --in-place --name choir >> voices.yaml
    chorus import ~/runs/vits-1 --checkpoint checkpoint_2000.pth

    \b
    exit status: 0 imported, 64 wrong arguments, 65 a damaged file, 66 no model there,
    69 a model or a package that this installation lacks, 73 the name is taken or nothing can be written
    """
    from app.cli.output import open_output

    is_default = context.get_parameter_source("config") is click.core.ParameterSource.DEFAULT
    settings = _settings_of(config, may_be_absent=is_default)
    name = _check_name(name) if name else _default_name(source)
    _refuse_taken(name, settings)
    wav = output or f"{name}.wav"
    write = open_output(wav, "wav")  # before anything is copied
    if _is_fetched(source):
        voice = _voice_settings(name, source, language)
        spoken = _speak(voice, settings, text, write, wav)
        _say_found(voice, settings)
    else:
        with _imported(Path(source).expanduser(), name, settings, checkpoint, version, in_place) as directory:
            voice = _voice_settings(name, str(directory), language)
            spoken = _speak(voice, settings, text, write, wav)
    _say(spoken)
    print(_configuration_lines(voice), end="")


def _is_fetched(source: str) -> bool:
    """Whether a source is a name or a URL, which a server fetches in the same way.

    Raises:
        click.UsageError: a URL of another kind.
    """
    from loader.config.location import SCHEMES, has_parts, is_source

    if source.startswith(_NAMES) and not Path(source).exists():
        return True
    if is_source(source) and has_parts(source):
        return True
    if is_source(source) or _URL.match(source):
        raise click.UsageError(f"{source[:80]!r}: expected a URL that begins with {', '.join(f'{each}:' for each in SCHEMES)}")
    return False


@contextmanager
def _imported(
    path: Path, name: str, settings: "Settings", checkpoint: str | None, version: str | None, in_place: bool
) -> Iterator[Path]:
    """Find the model of `path` and make a release of it; a copy is removed again if what follows fails."""
    from app.cli.seal import checked_version, present_version, sealed_lines
    from loader.releases.directory import HASH_FILE, find_model, require_supported, require_weights

    found = find_model(path, checkpoint)
    _say_model(found)
    require_supported(found.files, found.directory / found.files.config)
    require_weights(found)
    _require_bake(found)
    version = None if version is None else checked_version(version)
    if in_place:
        if (found.directory / HASH_FILE).exists() and version is None:
            _say("sealed already")
        else:
            for line in sealed_lines([found], version):
                _say(line)
        yield found.directory.absolute()
        return
    with _copied(found, name, settings, version or present_version(found.directory)) as directory:
        yield directory


@contextmanager
def _copied(found: "ModelDirectory", name: str, settings: "Settings", version: str) -> Iterator[Path]:
    """Copy a model into a sealed folder; it is removed again if what follows fails, unless it was there before.

    Raises:
        CannotWriteError: another model has been imported under this name.
        LoaderError: any of its children.
    """
    from app.cli.progress import show_bytes
    from loader.releases.directory import HASH_FILE
    from loader.releases.hash_list import read_hash_list
    from loader.releases.sealing import copy_release
    from loader.storage.store import Store

    imported, copied = settings.cache_dir / "imported", [0]
    store = Store(imported, proof=HASH_FILE)
    before = store.find(name)
    if before is not None:
        if _hashes_of(found) != read_hash_list(before):
            raise CannotWriteError(f"{before}: another model is imported as {name!r}; choose a --name, or remove that folder")
        _say(f"imported before: {before}")
        yield before
        return
    total_bytes = sum((found.directory / each).stat().st_size for each in found.kept)
    try:
        with show_bytes(f"copying {found.directory.name}", total_bytes, lambda: sum(copied)):
            directory = store.publish(name, lambda folder: copy_release(found, folder, version, copied.append))
        _say(f"copied and sealed as version {version}: {directory}")
        yield directory
    except BaseException:
        shutil.rmtree(imported / name, ignore_errors=True)
        raise


def _hashes_of(found: "ModelDirectory") -> dict[str, str]:
    from app.cli.progress import show_bytes
    from loader.storage.files import sha256_of

    hashed, total_bytes = [0], sum((found.directory / name).stat().st_size for name in found.kept)
    with show_bytes(f"comparing {found.directory.name}", total_bytes, lambda: sum(hashed)):
        return {name: sha256_of(found.directory / name, hashed.append) for name in found.kept}


def _require_bake(found: "ModelDirectory") -> None:
    """Refuse a checkpoint before it is copied if the packages that read it are missing.

    Raises:
        MissingPackageError: names the command that installs them.
    """
    from loader.artifacts.installation import require_bake_extra
    from loader.releases.model_files import Kind

    if found.files.kind is not Kind.PIPER:
        require_bake_extra(f"{found.directory}: baking a checkpoint")


def _speak(settings_of_voice: "VoiceSettings", settings: "Settings", text: str | None, write: "Write", output: str) -> str:
    """Bake the voice, speak, and return the line about it.

    Raises:
        LoaderError: any of its children.
    """
    from dataclasses import replace

    from app.cli.progress import watched_stages
    from app.cli.say import Speech, spoken_line
    from app.startup import needed_to_speak, require_open_files
    from loader.artifacts.resolve import locate_all
    from loader.errors import UnspeakableTextError
    from loader.voices.catalog import open_catalog

    settings = replace(settings, voices=(settings_of_voice,))
    require_open_files(needed_to_speak(settings))
    with watched_stages():
        artifacts = locate_all(settings)
    catalog = open_catalog(settings, artifacts)
    catalog.enter_device()
    voice = catalog.default
    _say(_voice_line(voice))
    spoken = Speech(text or _sentence_for(voice), voice.name, None, None, 1.0, _SEED)
    try:
        return spoken_line(voice, spoken, write, output)
    except UnspeakableTextError:
        from loader.voices.sample_sentences import letters_of

        letters = letters_of(voice)
        if text or letters is None:
            raise
        return spoken_line(voice, replace(spoken, text=letters), write, output)


def _sentence_for(voice: "Voice") -> str:
    from loader.voices.sample_sentences import sentence_in

    return sentence_in(voice.language)


def _voice_line(voice: "Voice") -> str:
    from app.cli.model_lines import some

    speakers = f"speakers {some(voice.speakers)}" if voice.speakers else "one speaker"
    languages = f"languages {some([each for each in voice.languages if each])}" if any(voice.languages) else "no language named"
    return f"{voice.name}: engine {voice.manifest.engine}, {voice.sample_rate_hz} Hz, {speakers}, {languages}"


def _voice_settings(name: str, model_path: str, language: str | None) -> "VoiceSettings":
    from loader.config.settings import VoiceSettings

    return VoiceSettings(name, model_path, language=language)


def _configuration_lines(voice: "VoiceSettings") -> str:
    import yaml

    facts = {"name": voice.name, "model_path": voice.model_path, "language": voice.language}
    entry = {key: value for key, value in facts.items() if value is not None}
    return str(yaml.safe_dump({"voices": [entry]}, sort_keys=False, allow_unicode=True))


def _say_found(voice: "VoiceSettings", settings: "Settings") -> None:
    from app.cli.inventory import release_directory
    from loader.releases.directory import inspect_directory

    directory = release_directory(voice, settings)
    if directory is not None:
        _say_model(inspect_directory(directory))


def _say_model(found: "ModelDirectory") -> None:
    from app.cli.model_lines import model_lines

    for line in model_lines(found):
        _say(line)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _settings_of(config: Path, may_be_absent: bool) -> "Settings":
    """Return the settings; the defaults if no file is named and the default one does not exist."""
    from loader.config.settings import Settings, load_settings

    return Settings(path=config.absolute()) if may_be_absent and not config.exists() else load_settings(config)


def _default_name(source: str) -> str:
    """Return a name after the last telling part of the source."""
    from loader.config.location import has_parts, is_source, shown

    path = Path(shown(source) if is_source(source) and has_parts(source) else source).expanduser()
    if source.startswith("tts_models/"):
        language, data = (*source.split("/"), "", "")[1:3]
        name = f"{language}-{data}" if data == "fairseq" else data
    elif path.is_file() and not path.name.lower().endswith((".onnx", ".onnx.json")):
        name = path.resolve().parent.name
    else:
        name = re.sub(r"\.onnx(\.json)?$", "", path.resolve().name, flags=re.IGNORECASE)
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "voice"


def _check_name(name: str) -> str:
    if _REFUSED_IN_NAMES.search(name) or name.startswith(".") or not name.strip():
        raise click.BadParameter(f"{name!r}: expected text without /, \\, #, ~ or a first dot", param_hint="--name")
    return name


def _refuse_taken(name: str, settings: "Settings") -> None:
    for voice in settings.voices:
        if name in (voice.name, *voice.aliases):
            raise CannotWriteError(f"{settings.path} has a voice {name!r} already; choose another name with --name")
