"""Coqui's configuration of a release, with the files that it names found in the release.

A configuration names files by paths of the machine of its training: only their last part counts. A file that Coqui's
classes would not read with these settings is not looked for.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loader.bake.wording import one_line
from loader.engines.coqui.building import config_from
from loader.errors import BakeError
from loader.releases.configuration import file_name, parse_document
from loader.releases.content import foreign_content
from loader.releases.release import Release

#: Names that Coqui's downloader looks for if the named file does not exist.
_DEFAULTS = {
    "speakers_file": ("speaker_ids.json", "speaker_ids.pth"),
    "d_vector_file": ("speakers.json", "speakers.pth"),
    "language_ids_file": ("language_ids.json",),
    "stats_path": ("scale_stats.npy",),
}
#: A speaker encoder computes vectors from recordings; the vectors themselves are in the release.
_NEVER_READ = ("speaker_encoder_model_path", "speaker_encoder_config_path")


def read_config(release: Release) -> Any:
    """Return Coqui's configuration of `release`, with the paths of its files in the release.

    Raises:
        BakeError: Coqui cannot read it, or it needs a file that is not listed in hash.sha256.
    """
    config = load_config(release.config_path)
    _strip_names(config)
    holders = [each for each in (config.get("model_args"), config) if each is not None]
    used = _used_files(config, holders)
    for key in ("speaker_file", "speakers_file", "d_vector_file", "language_ids_file"):
        named = next(filter(None, (holder.get(key, None) for holder in holders)), None)
        found = _in_release(release, key, named) if used(key) else None
        for holder in holders:
            if key in holder:
                holder[key] = found
    for holder in holders:
        holder.update({key: "" for key in _NEVER_READ if key in holder})
    return config


def load_config(path: Path) -> Any:
    """Return the configuration in a file, of any family or vocoder, as an object of Coqui's class.

    Raises:
        BakeError: Coqui has no such class, or the file is not JSON.
    """
    try:
        if found := foreign_content(path):
            raise BakeError(f"{path}: expected a configuration, found {found}")
        return config_from(parse_document(path.read_bytes()))
    except BakeError:
        raise
    except Exception as error:  # Coqui's readers share no base class of errors
        raise BakeError(f"{path}: Coqui cannot read it: {one_line(error)}") from error


def listed_file(release: Release, key: str, named: str) -> str | None:
    """Return the name of the file of the release that the configuration means; None if it is not listed."""
    names = [file_name(named), *_DEFAULTS.get(key, ())]
    if found := next((name for name in names if name in release.hashes), None):
        return found
    # Windows writes names in another case than files have.
    same = [name for name in release.hashes if name.lower() == names[0].lower()]
    return same[0] if len(same) == 1 else None


def _used_files(config: Any, holders: Sequence[Any]) -> Callable[[str], bool]:
    """Return whether Coqui's managers read the file of a key: by the switches beside it."""

    def is_set(switch: str) -> bool:
        return any(bool(holder.get(switch, None)) for holder in holders)

    reads_rows = is_set("use_speaker_embedding") and not config.get("speakers", None)
    used = {
        "speaker_file": reads_rows,
        "speakers_file": reads_rows and not is_set("speaker_file"),
        "d_vector_file": is_set("use_d_vector_file") and not is_set("use_speaker_embedding"),
        "language_ids_file": is_set("use_language_embedding"),
    }
    return used.__getitem__


def _in_release(release: Release, key: str, named: Any) -> Any:
    if isinstance(named, list):
        return [_path_in_release(release, key, each) for each in named]
    if named:
        return _path_in_release(release, key, named)
    default = listed_file(release, key, "")
    return str(release.directory / default) if default else None


def _path_in_release(release: Release, key: str, named: str) -> str:
    name = listed_file(release, key, named)
    if name is None:
        missing = f"{key} names {file_name(named)}, which hash.sha256 does not list"
        raise BakeError(f"{release.config_path}: {missing}; add it and seal again")
    return str(release.directory / name)


def _strip_names(config: Any) -> None:
    """Remove white space around the names that a configuration lists."""
    for key in ("speakers", "languages"):
        if isinstance(names := config.get(key, None), list):
            config[key] = [each.strip() if isinstance(each, str) else each for each in names]
    for holder in (config, *(config.get("datasets", None) or ())):
        for key in ("phoneme_language", "language"):
            if key in holder and isinstance(holder[key], str):
                holder[key] = holder[key].strip()
