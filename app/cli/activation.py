"""Offers of releases: by a running server, which is asked with SIGHUP and decides, or by this process if there is none."""

import os
import select
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.errors import Problems
from loader.errors import LoaderError

if TYPE_CHECKING:
    from app.scoreboard.discovery import Found
    from loader.config.settings import Settings, VoiceSettings
    from loader.releases.installed import InstalledReleases, Snapshot

_LOOK_EVERY_S = 0.2


class RejectedError(LoaderError):
    """A release was tried and rejected; the one before is still current."""

    exit_status = 65


class NoDecisionError(LoaderError):
    """The server did not decide, or there is none to ask."""

    exit_status = 75


class OwnerError(LoaderError):
    """The releases belong to another user."""

    exit_status = 77


@dataclass(frozen=True)
class Target:
    """The voices of one source."""

    settings: "Settings"
    voices: "Sequence[VoiceSettings]"
    installed: "InstalledReleases"

    @property
    def names(self) -> str:
        """The names of the voices."""
        return ", ".join(voice.name for voice in self.voices)

    def require_owner(self) -> None:
        """Raise if another user's server could not use what this process writes.

        Raises:
            OwnerError: names the user.
        """
        folder = next((each for each in (self.installed.directory, self.settings.cache_dir) if each.is_dir()), None)
        if folder is not None and (owner := folder.stat().st_uid) != os.geteuid():
            raise OwnerError(f"{folder}: belongs to user {owner}; run this command as that user (sudo -u '#{owner}' ...)")


def targets_of(config: Path, name: str | None) -> list[Target]:
    """Return the sources of the configuration, or that of the voice `name`.

    Raises:
        LoaderError: the configuration is wrong, or has no such voice, or that voice has no source.
    """
    from app.cli.inventory import find_voice
    from loader.config.location import is_source
    from loader.config.settings import load_settings
    from loader.errors import ReleaseError
    from loader.releases.installed import InstalledReleases

    settings = load_settings(config)
    named = settings.voices if name is None else (find_voice(settings, name),)
    sources = dict.fromkeys(voice.model_path for voice in named if is_source(voice.model_path))
    if not sources:
        subject = "no voice has" if name is None else f"voice {name!r} does not have"
        raise ReleaseError(f"{config}: {subject} a URL as its model_path, so there are no releases; see docs/voices.md")
    return [
        Target(
            settings, [voice for voice in settings.voices if voice.model_path == source],
            InstalledReleases(source, settings.cache_dir),
        )
        for source in sources
    ]  # fmt: skip


def only_target(config: Path, name: str | None) -> Target:
    """Return the only source, or that of the voice `name`.

    Raises:
        ReleaseError: there are several.
    """
    from loader.errors import ReleaseError

    found = targets_of(config, name)
    if len(found) > 1:
        listed = "; ".join(each.names for each in found)
        raise ReleaseError(f"{config}: has {len(found)} voices with releases; name one: {listed}")
    return found[0]


def activate_all(
    targets: Sequence[Target], config: Path, release_id: str | None, pid: int | None, wait_s: float, problems: Problems
) -> None:
    """Offer a release of each source, and print what became of it.

    Raises:
        LoaderError: there is no server to ask, or more than one.
    """
    from loader.errors import ReleaseError

    if release_id is not None and len(targets) > 1:
        raise ReleaseError(f"{config}: has {len(targets)} voices with releases; name the one of release {release_id[:12]}")
    server = find_server(config, pid)
    for target in targets:
        with problems.report():
            target.require_owner()
            print(_activated_line(target, release_id, server, wait_s), flush=True)


def roll_back(target: Target, config: Path, pid: int | None, wait_s: float) -> str:
    """Offer the previous release, and return the line to print.

    Raises:
        LoaderError: there is no previous release, or it was rejected.
    """
    from loader.errors import ReleaseError

    target.require_owner()
    previous = target.installed.previous
    if previous is None:
        raise ReleaseError(f"{target.names}: no previous release is installed; chorus release list names the others")
    server = find_server(config, pid)
    return _offered_line(target, target.installed.offer(previous.id, is_rollback=True), server, wait_s)


def find_server(config: Path, pid: int | None) -> "Found | None":
    """Return the server of process `pid`, else the only one that was started with `config`, if there is one.

    Sees the servers of this user; root sees all.

    Raises:
        NoDecisionError: there are several, or `pid` is none.
    """
    from app.scoreboard.discovery import configuration_of, server_of, servers

    if pid is not None:
        try:
            found = server_of(pid)
        except OSError as error:
            raise NoDecisionError(f"process {pid}: {error.strerror}; chorus top finds the servers here") from error
        if found is None:
            raise NoDecisionError(f"process {pid} is not a Chorus server of this version; chorus top finds the servers here")
        return found
    # Root may signal every server, and must not take a release over its head.
    seen, ours = servers(os.getuid() or None), config.resolve()
    matching = [each for each in seen if (path := configuration_of(each.pid)) and path.resolve() == ours]
    if len(matching) > 1:
        listed = ", ".join(f"--pid {each.pid}" for each in matching)
        raise NoDecisionError(f"{len(matching)} servers of {config} run here; select one: {listed}")
    return matching[0] if matching else None


def _activated_line(target: Target, release_id: str | None, server: "Found | None", wait_s: float) -> str:
    installed = target.installed
    chosen = installed.find(release_id) if release_id else installed.candidate or installed.latest
    if chosen is None:
        return f"{target.names}: no release is here; chorus release fetch fetches one"
    if chosen == installed.current:
        return f"{target.names}: release {chosen.short_id}, version {chosen.version}, is current"
    rejection = installed.rejected.get(chosen.id)
    if rejection is not None and release_id is None:
        again = f"chorus release activate {target.voices[0].name} --id {chosen.short_id} tries it again"
        return f"{target.names}: release {chosen.short_id}, version {chosen.version}, was rejected: {rejection.reason}; {again}"
    return _offered_line(target, installed.offer(chosen.id), server, wait_s)


def _offered_line(target: Target, offered: "Snapshot", server: "Found | None", wait_s: float) -> str:
    """Have the candidate tried, and return the line about its acceptance.

    Raises:
        RejectedError: it was not accepted.
    """
    if server is None:
        _try_here(target)
        by = "no server runs"
    else:
        _ask(server, target, offered, wait_s)
        by = f"by the server {server.pid}"
    named = f"{target.names}: release {offered.short_id}, version {offered.version}"
    if (rejection := target.installed.rejected.get(offered.id)) is not None:
        raise RejectedError(f"{named}, was rejected: {rejection.reason}")
    if target.installed.current != offered:
        raise NoDecisionError(f"{named}, was withdrawn meanwhile; see chorus release list")
    return f"{named}, is current ({by})"


def _ask(server: "Found", target: Target, offered: "Snapshot", wait_s: float) -> None:
    """Send SIGHUP, and return once the candidate is accepted or rejected.

    Raises:
        NoDecisionError: the server ended, refused its configuration for a reason that is not the candidate, or took too long.
    """
    import time

    from app.cli.progress import show_text

    ends_s = time.monotonic() + wait_s
    with show_text(lambda: f"{target.names}: server {server.pid} tries release {offered.short_id}"):
        # A pidfd, because the kernel may reuse the pid.
        process = os.pidfd_open(server.pid)
        try:
            refusals = server.board.rollouts("refused")
            signal.pidfd_send_signal(process, signal.SIGHUP)
            while target.installed.record.candidate == offered.id:
                if select.select([process], [], [], _LOOK_EVERY_S)[0]:
                    raise NoDecisionError(f"{target.names}: server {server.pid} ended before it decided; its log says why")
                if server.board.rollouts("refused") > refusals and target.installed.record.candidate == offered.id:
                    raise NoDecisionError(
                        f"{target.names}: server {server.pid} refused its configuration: {server.board.rollout_reason}; "
                        f"release {offered.short_id} stays the candidate and is tried by the next SIGHUP"
                    )
                if time.monotonic() > ends_s:
                    raise NoDecisionError(
                        f"{target.names}: server {server.pid} has not decided on release {offered.short_id} within {wait_s:g} s; "
                        "its log says why, chorus release list shows the outcome"
                    )
        finally:
            os.close(process)


def _try_here(target: Target) -> None:
    """Bake the candidate, speak with every voice of it, and accept or reject it."""
    from app.cli.progress import watched_stages
    from app.errors import RolloutError
    from app.rollout.probe import require_sound, speak_probe
    from loader.artifacts.resolve import locate_all
    from loader.voices.catalog import open_catalog

    settings = replace(target.settings, voices=tuple(target.voices))
    try:
        with watched_stages():
            artifacts = locate_all(settings, use_candidates=True)
        for voice in open_catalog(settings, artifacts).voices:
            probe = speak_probe(voice)
            if probe is not None:
                require_sound(voice, probe)
    except (LoaderError, RolloutError) as error:
        target.installed.reject(" ".join(str(error).split()))
        return
    target.installed.accept()
