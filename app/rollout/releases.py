"""Candidates: releases of sources that a revision brings in, and what becomes of them when its rollout has ended."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.logs import event
from loader.config.location import is_source, shown
from loader.config.settings import Settings, VoiceSettings
from loader.errors import LoaderError
from loader.releases.fetch_process import fetch_in_child
from loader.releases.installed import InstalledReleases

log = logging.getLogger("chorus.process")


@dataclass(frozen=True)
class Candidate:
    """A release that is tried."""

    source: str
    id: str


def is_outdated(settings: Settings) -> bool:
    """Whether a voice wants another version than the one that its source has installed."""
    return any(_is_outdated(voice, settings) for voice in settings.voices)


def offer_wanted(settings: Settings) -> None:
    """Fetch the versions that the configuration wants, as candidates. Runs in the preparation.

    Without a network, or if that release was rejected before, the installed release goes on, and the log says so.
    """
    for voice in settings.voices:
        if not _is_outdated(voice, settings):
            continue
        installed = InstalledReleases(voice.model_path, settings.cache_dir)
        try:
            found = fetch_in_child(voice, settings)
            if found in installed.rejected:
                _report(voice, f"release {found[:12]} was rejected: {installed.rejected[found].reason}")
            else:
                installed.offer(found)
        except LoaderError as error:
            _report(voice, str(error))


def candidates_of(settings: Settings) -> tuple[Candidate, ...]:
    """Return the candidates of all sources."""
    sources = dict.fromkeys(voice.model_path for voice in settings.voices if is_source(voice.model_path))
    found = ((source, InstalledReleases(source, settings.cache_dir).candidate) for source in sources)
    return tuple(Candidate(source, snapshot.id) for source, snapshot in found if snapshot is not None)


def accept(candidates: Iterable[Candidate], cache_dir: Path) -> None:
    """Make the candidates the current releases, unless others have taken their place meanwhile. Raises nothing."""
    for each in candidates:
        try:
            installed = InstalledReleases(each.source, cache_dir)
            if installed.record.candidate == each.id:
                installed.accept()
        except (LoaderError, OSError) as error:
            _report_failure(each, error)


def reject(candidates: Iterable[Candidate], cache_dir: Path, reason: str) -> None:
    """Keep why the candidates failed, so that they are not tried again by themselves. Raises nothing."""
    for each in candidates:
        try:
            installed = InstalledReleases(each.source, cache_dir)
            if installed.record.candidate == each.id:
                installed.reject(reason)
        except (LoaderError, OSError) as error:
            _report_failure(each, error)


def _is_outdated(voice: VoiceSettings, settings: Settings) -> bool:
    if voice.version is None or not is_source(voice.model_path):
        return False
    installed = InstalledReleases(voice.model_path, settings.cache_dir)
    current, candidate = installed.current, installed.candidate
    return current is not None and voice.version not in (current.version, candidate and candidate.version)


def _report(voice: VoiceSettings, reason: str) -> None:
    event(log, "release.not_fetched", logging.WARNING, voice=voice.name, wanted=voice.version, reason=reason)


def _report_failure(candidate: Candidate, error: Exception) -> None:
    source, reason = shown(candidate.source), str(error)
    event(log, "release.not_recorded", logging.ERROR, source=source, release=candidate.id[:12], reason=reason)
