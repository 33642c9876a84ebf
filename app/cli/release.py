"""`chorus release`: the releases of voices that have a source."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import OrderedGroup, config_option
from app.cli.errors import Problems

if TYPE_CHECKING:
    from app.cli.activation import Target
    from loader.releases.installed import InstalledReleases, Removed, Snapshot

#: The exit status of `check` if a source has a release that is not current, as of dnf's check-update.
NEW = 100

_voice = click.argument("voice", required=False)
_pid = click.option(
    "--pid", type=click.IntRange(1), metavar="PID", help="Master of the server; default: the one of this configuration."
)
_wait = click.option(
    "--wait", "wait_s", type=click.FloatRange(1.0), metavar="SECONDS", default=600.0, show_default=True,
    help="How long the server may take to decide.",
)  # fmt: skip
_id = click.option("--id", "release_id", metavar="ID", help="The release, by the first digits of its id.")


@click.group(cls=OrderedGroup, short_help="Fetch, try, swap and roll back releases.")
def release() -> None:
    """Releases of the voices whose `model_path` is a URL.

    A release is fetched beside the current one, then offered to the running server, which bakes it,
    tries it, and takes it or keeps the old one. Without VOICE a command is about every such voice.

    \b
    chorus release fetch && chorus release activate
    chorus release rollback joe
    """


@release.command("list", short_help="List the releases that are installed.")
@_voice
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with whole ids.")
def list_(voice: str | None, config: Path, as_json: bool) -> None:
    """List the installed releases: id, version, state, size, and when each was fetched.

    States: current is served, previous is what a rollback returns to, candidate is being tried, pinned is the
    only one that may be tried, rejected failed and is not tried again by itself. Asks no source.

    \b
    chorus release list
    chorus release list joe --json | jq -r '.[] | select(.state[] == "current") | .id'
    """
    from app.cli.activation import targets_of

    rows = [row for target in targets_of(config, voice) for row in _rows(target)]
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_table(rows)


@release.command(short_help="Ask the sources for new releases.")
@_voice
@config_option
def check(voice: str | None, config: Path) -> None:
    """Read the small files of each source and compare them with the current release.

    The exit status is 0 if nothing is new, 100 if there is a release that is neither current nor rejected.

    \b
    chorus release check
    chorus release check || [ $? -eq 100 ] && chorus release fetch
    """
    from app.cli.activation import targets_of

    problems, is_new = Problems(), False
    for target in targets_of(config, voice):
        with problems.report():
            line, found = _checked(target)
            is_new = is_new or found
            print(line, flush=True)
    problems.end()
    sys.exit(NEW if is_new else 0)


@release.command(short_help="Fetch what the sources have now.")
@_voice
@config_option
def fetch(voice: str | None, config: Path) -> None:
    """Fetch the release that each source has now, and verify every file of it. Makes nothing current.

    Files that are here already are verified and not fetched. Ctrl-C keeps what has come; the next fetch continues.

    \b
    chorus release fetch
    chorus release fetch joe && chorus release activate joe
    """
    from app.cli.activation import targets_of

    problems = Problems()
    for target in targets_of(config, voice):
        with problems.report():
            target.require_owner()
            print(_fetched_line(target), flush=True)
    problems.end()


@release.command(short_help="Offer the fetched release to the server.")
@_voice
@config_option
@_id
@_pid
@_wait
def activate(voice: str | None, config: Path, release_id: str | None, pid: int | None, wait_s: float) -> None:
    """Offer the release that was fetched last, or --id, and wait until it is accepted or rejected.

    The running server of this configuration gets SIGHUP: it bakes and tries the release while the old one
    serves. Without a running server this command bakes it and speaks a sentence. Does nothing if that release is
    current; one that was rejected is tried again with --id only. The exit status of a rejection is 65.

    \b
    chorus release activate
    chorus release activate joe --id 3f21c0
    """
    from app.cli.activation import activate_all, targets_of

    problems = Problems()
    with problems.report():
        activate_all(targets_of(config, voice), config, release_id, pid, wait_s, problems)
    problems.end()


@release.command(short_help="Return to the previous release.")
@_voice
@config_option
@_pid
@_wait
def rollback(voice: str | None, config: Path, pid: int | None, wait_s: float) -> None:
    """Make the previous release current again, as activate does; needs no network.

    The release that was current counts as rejected then, so that a timer does not bring it back.

    \b
    chorus release rollback joe
    """
    from app.cli.activation import only_target, roll_back

    print(roll_back(only_target(config, voice), config, pid, wait_s), flush=True)


@release.command(short_help="Remove releases that have no use.")
@_voice
@config_option
@click.option("--keep", type=click.IntRange(0), metavar="N", default=0, show_default=True, help="Further releases to keep.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def gc(voice: str | None, config: Path, keep: int, dry_run: bool) -> None:
    """Remove releases, artifacts that were baked from them, and leftovers of fetches.

    Stay: current, previous, candidate and pinned releases, the one fetched last, and all that a running process has
    open or mapped. Run it as the server's user: processes of others cannot be seen.

    \b
    chorus release gc --dry-run
    """
    from app.cli.activation import targets_of
    from loader.artifacts.collection import artifacts_made_from

    problems, targets = Problems(), targets_of(config, voice)
    for target in targets:
        with problems.report():
            target.require_owner()
            removed = target.installed.collect(keep, dry_run, artifacts_made_from(target.settings))
            for line in _removed_lines(target, removed, dry_run):
                print(line, flush=True)
    if voice is None:
        for line in _unknown_lines(targets):
            print(line, flush=True)
    problems.end()


@release.command(short_help="Hold on to one release.")
@_voice
@config_option
@_id
@click.option("--none", "is_none", is_flag=True, help="End it.")
def pin(voice: str | None, config: Path, release_id: str | None, is_none: bool) -> None:
    """Let no other release be tried than the current one, or --id, until --none.

    \b
    chorus release pin joe
    chorus release pin joe --none
    """
    from app.cli.activation import only_target
    from loader.errors import ReleaseError

    if is_none and release_id:
        raise click.UsageError("--id and --none exclude each other")
    target = only_target(config, voice)
    target.require_owner()
    if is_none:
        target.installed.unpin()
        print(f"{target.names}: no release is pinned")
        return
    current = target.installed.current
    if release_id is None and current is None:
        raise ReleaseError(f"{target.names}: no release is current; name one with --id")
    pinned = target.installed.pin(release_id or (current.id if current else ""))
    print(f"{target.names}: release {pinned.short_id}, version {pinned.version}, is pinned")


def _checked(target: "Target") -> tuple[str, bool]:
    """Return the line about one source, and whether it has a new release."""
    from loader.releases.fetch import read_plan
    from loader.releases.snapshots import SHOWN_DIGITS
    from loader.releases.sources import open_source

    limits, installed = target.settings.releases, target.installed
    source = open_source(installed.source, limits.timeout_s, limits.public_key is not None)
    plan = read_plan(source, limits)
    named, current = f"release {plan.release_id[:SHOWN_DIGITS]}, version {plan.version}", installed.current
    if current is not None and current.id == plan.release_id:
        return f"{target.names}: {named}, is current", False
    if rejection := installed.rejected.get(plan.release_id):
        return f"{target.names}: {named}, was rejected: {rejection.reason}", False
    latest = installed.latest
    is_here = latest is not None and latest.id == plan.release_id
    then = "is fetched; chorus release activate offers it" if is_here else "is new; chorus release fetch fetches it"
    return f"{target.names}: {named}, {then}", True


def _fetched_line(target: "Target") -> str:
    from app.cli.output import megabytes
    from app.cli.progress import show_bytes
    from loader.releases.fetch import Report, fetch_release

    class Bar(Report):
        file = ""
        done_bytes = 0
        total_bytes: int | None = None

        def progress(self, file: str, done_bytes: int, total_bytes: int | None) -> None:
            self.file, self.done_bytes, self.total_bytes = file, done_bytes, total_bytes

        def remark(self, text: str) -> None:
            print(f"chorus: {target.names}: {text}", file=sys.stderr, flush=True)

    bar, started_s, version = Bar(), time.monotonic(), target.voices[0].version
    with show_bytes(lambda: f"{target.names} {bar.file}", lambda: bar.total_bytes, lambda: bar.done_bytes):
        found = fetch_release(target.installed, target.settings.releases, version, bar)
    size, took_s = megabytes(_size_bytes(found)), time.monotonic() - started_s
    current = target.installed.current
    state = "is current" if current == found else "is here; chorus release activate offers it"
    return f"{target.names}: release {found.short_id}, version {found.version}, {size}, {state} ({took_s:.1f} s)"


def _removed_lines(target: "Target", removed: "Sequence[Removed]", is_dry_run: bool) -> list[str]:
    from app.cli.output import megabytes

    verb, cache = "would remove" if is_dry_run else "removed", target.settings.cache_dir
    lines = [f"{target.names}: {verb} {os.path.relpath(each.path, cache)}, {megabytes(each.size_bytes)}" for each in removed]
    total = megabytes(sum(each.size_bytes for each in removed))
    return [*lines, f"{target.names}: {verb} {len(removed)} files and folders, {total}, below {cache}"]


def _unknown_lines(targets: "Sequence[Target]") -> list[str]:
    """Return a line for each source that no voice of the configuration has: another configuration may have it."""
    from loader.releases.snapshots import entries

    known = {target.installed.directory for target in targets}
    folders = {each for target in targets for each in entries(target.installed.directory.parent) if each.is_dir()}
    return [f"{each}: of no voice of this configuration; remove it if no other one uses it" for each in sorted(folders - known)]


def _rows(target: "Target") -> list[dict[str, Any]]:
    record = target.installed.record
    return [
        {
            "voices": [voice.name for voice in target.voices], "source": record.source, "id": snapshot.id,
            "version": snapshot.version, "state": states_of(target.installed, snapshot), "size_bytes": _size_bytes(snapshot),
            "fetched_at_s": snapshot.directory.stat().st_mtime,
        }
        for snapshot in target.installed.list()
    ]  # fmt: skip


def states_of(installed: "InstalledReleases", snapshot: "Snapshot") -> list[str]:
    """Return the roles of a release, in words."""
    record = installed.record
    roles = ("current", "previous", "candidate", "pinned")
    states = [role for role in roles if getattr(record, role) == snapshot.id]
    if rejection := record.rejected.get(snapshot.id):
        states.append(f"rejected: {rejection.reason}")
    return states


def _size_bytes(snapshot: "Snapshot") -> int:
    return sum(path.stat().st_size for path in snapshot.directory.iterdir())


def _print_table(rows: list[dict[str, Any]]) -> None:
    from textwrap import shorten

    from app.cli.output import megabytes, print_table
    from loader.releases.snapshots import SHOWN_DIGITS

    titles = ("voice", "release", "version", "state", "size", "fetched")
    cells = [
        (", ".join(row["voices"]), row["id"][:SHOWN_DIGITS], row["version"], shorten(", ".join(row["state"]) or "fetched", 80),
         megabytes(row["size_bytes"]), time.strftime("%Y-%m-%d %H:%M", time.localtime(row["fetched_at_s"])))
        for row in rows
    ]  # fmt: skip
    print_table(titles, cells, right=("size",))
