"""Fetches in a child process, so that a server never loads an HTTP client or opens a connection itself."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from loader.config.location import shown
from loader.config.settings import ReleaseSettings, Settings, VoiceSettings
from loader.errors import FetchError, ReleaseError, SourceError
from loader.releases.installed import InstalledReleases, Snapshot
from loader.storage.files import remedy_for

_ROOT = Path(__file__).resolve().parents[2]

log = logging.getLogger("chorus.loader")


def snapshot_to_serve(voice: VoiceSettings, settings: Settings, use_candidates: bool = False) -> Snapshot:
    """Return the release that the voice, whose `model_path` is a URL, is served from.

    The candidate if `use_candidates` and there is one, else the current release, even if `version` asks for another
    one: it is served until that one is fetched, tried and accepted. At the first start, without a current release,
    the source's release is fetched and becomes the current one.

    Raises:
        LoaderError: the first fetch failed.
    """
    installed = InstalledReleases(voice.model_path, settings.cache_dir)
    if use_candidates and (candidate := installed.candidate):
        return candidate
    if (current := installed.current) is None:
        return installed.adopt(fetch_in_child(voice, settings))
    if voice.version not in (None, current.version):
        log.warning(
            {"event": "release.outdated", "voice": voice.name, "version": current.version, "wanted": voice.version,
             "release": current.short_id, "source": shown(voice.model_path)}
        )  # fmt: skip
    return current


def fetch_in_child(voice: VoiceSettings, settings: Settings) -> str:
    """Fetch the release that the voice's source has now, and return its id. Makes it neither candidate nor current.

    The child's progress and errors go to standard error. It ends with this process.

    Raises:
        FetchError: the child failed and wrote why. Carries the child's exit status.
    """
    words = [sys.executable, "-m", "loader.releases", "--parent", str(os.getpid())]
    request = msgspec.json.encode(FetchRequest(voice.model_path, str(settings.cache_dir), voice.version, settings.releases))
    try:
        done = subprocess.run(words, cwd=_ROOT, input=request, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        remedies = "; ".join(filter(None, (str(error), remedy_for(error))))
        raise FetchError(f"the child that fetches cannot be started: {remedies}") from error
    status = done.returncode
    if status != 0:
        ended = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        failure = FetchError(f"{shown(voice.model_path)}: the child that fetches {ended}; its last line above says why")
        failure.exit_status = status if 0 < status < 128 else FetchError.exit_status
        failure.permanent = status in (SourceError.exit_status, ReleaseError.exit_status)
        raise failure
    return done.stdout.decode("ascii").strip()


class FetchRequest(msgspec.Struct):
    """What the child fetches. It goes through a pipe: the source may hold a password, which a command line would show."""

    source: str
    cache_dir: str
    version: str | None
    limits: ReleaseSettings
