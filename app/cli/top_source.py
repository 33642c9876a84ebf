"""Where `chorus top` looks: into the shared memory of a server of this machine, or at another's /status."""

import json
import os
import select
import urllib.error
import urllib.request
import weakref
from collections.abc import Sequence
from typing import Protocol

from app.scoreboard.discovery import Found, server_of, servers
from app.scoreboard.snapshot import Snapshot, snapshot
from app.scoreboard.told import told
from loader.errors import LoaderError

#: Longer than any worker that is not stopped needs.
_PATIENCE_S = 3.0


class NoServerError(LoaderError):
    """There is nothing to look at."""

    exit_status = 69


class EndedError(Exception):
    """The server that was looked at is there no more."""


class Source(Protocol):
    """A server to look at."""

    def look(self) -> Snapshot:
        """Return what it does now.

        Raises:
            EndedError: it is there no more.
            NoServerError: it does not say.
        """


class Local:
    """A server of this machine. Nothing is asked of it, so it shows whatever hangs."""

    def __init__(self, found: Found) -> None:
        self._pid, self._board = found.pid, found.board
        # Of this very process: its number may be another's soon.
        self._process = os.pidfd_open(found.pid)
        weakref.finalize(self, os.close, self._process)

    def look(self) -> Snapshot:
        """Return what it does now; its memory outlives it here."""
        if select.select([self._process], [], [], 0)[0]:
            raise EndedError(f"the server of master {self._pid} has ended")
        return snapshot(self._board)


class Remote:
    """A server that answers HTTP; a worker of it must be able to."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/status"
        self._has_answered = False

    def look(self) -> Snapshot:
        """Ask what it does now."""
        try:
            with urllib.request.urlopen(self._url, timeout=_PATIENCE_S) as response:
                seen = told(json.load(response))
        except urllib.error.HTTPError as error:
            with error:
                raise NoServerError(self._said(f"answers {error.code}; a proxy may refuse it: ask its server itself")) from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            if self._has_answered and isinstance(reason, ConnectionRefusedError):
                raise EndedError(self._said("nobody listens there")) from error
            raise NoServerError(self._said(f"does not answer ({reason}); on its machine none is needed")) from error
        except ValueError as error:
            raise NoServerError(self._said(f"tells {error}; is it a Chorus of this version?")) from error
        self._has_answered = True
        return seen

    def _said(self, what: str) -> str:
        return f"{self._url}: {what}"


def source(pid: int | None, url: str | None) -> Source:
    """Return the server to look at: the one at `url`, else that of process `pid`, else the only one of this user.

    Raises:
        NoServerError: there is none, or more than one.
    """
    if url is not None:
        return Remote(url)
    try:
        return Local(only(servers(os.getuid())) if pid is None else _of(pid))
    except ProcessLookupError as error:
        raise NoServerError("the server has just ended") from error


def only(found: Sequence[Found]) -> Found:
    """Return the one server that was found.

    Raises:
        NoServerError: there is none, or more than one.
    """
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoServerError("no server of this user runs here; start one (chorus serve), or name one with --pid or --url")
    listed = "\n".join(f"  --pid {each.pid}  {_described(each)}" for each in found)
    raise NoServerError(f"{len(found)} servers of this user run here; say which with --pid\n{listed}")


def _described(found: Found) -> str:
    seen = snapshot(found.board)
    return f"up {seen.up_s:.0f} s, {len(seen.workers)} workers"


def _of(pid: int) -> Found:
    try:
        found = server_of(pid)
    except PermissionError as error:
        raise NoServerError(f"process {pid} is another user's; look as that user, or with --url") from error
    except OSError as error:
        raise NoServerError(f"there is no process {pid}; without --pid the servers that run here are found") from error
    if found is None:
        raise NoServerError(f"process {pid} is no Chorus server of this version; without --pid those that run here are found")
    return found
