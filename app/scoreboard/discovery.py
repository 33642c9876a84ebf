"""Discovery of the servers on this machine: processes with a scoreboard among their descriptors."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.scoreboard.board import Scoreboard


@dataclass(frozen=True)
class Found:
    """A running server."""

    #: The master's pid in this process's namespace; the board may have its pid in a container.
    pid: int
    board: Scoreboard


def servers(uid: int | None) -> list[Found]:
    """Return the running servers of a user, or of all users that this process may see, by pid."""
    import psutil

    boards: dict[int, Scoreboard] = {}
    parents: dict[int, int] = {}
    for process in psutil.process_iter(["ppid", "uids"]):
        if process.info["uids"] is None or uid not in (None, process.info["uids"].real):
            continue
        if (board := _board(process.pid)) is not None:
            boards[process.pid], parents[process.pid] = board, process.info["ppid"]
    return [Found(pid, board) for pid, board in sorted(boards.items()) if not _is_same(board, boards.get(parents[pid]))]


def server_of(pid: int) -> Found | None:
    """Return the server whose master or worker has that `pid`; None if it has no board of this version.

    Raises:
        OSError: there is no such process, or it is another user's.
    """
    import psutil

    board = Scoreboard.of_process(pid)
    if board is None:
        return None
    with suppress(psutil.NoSuchProcess):
        while _is_same(board, _board(parent := psutil.Process(pid).ppid())):
            pid = parent
    return Found(pid, board)


def _board(pid: int) -> Scoreboard | None:
    """Return a process's board; None if it has none or it cannot be read."""
    with suppress(OSError):
        return Scoreboard.of_process(pid)
    return None


def _is_same(board: Scoreboard, other: Scoreboard | None) -> bool:
    return other is not None and all(board.header[name] == other.header[name] for name in ("master", "began_at_s"))


def configuration_of(pid: int) -> Path | None:
    """Return the path of the configuration that a master was started with; None if this user cannot see it."""
    from app.startup import DEFAULT_CONFIG  # late: with the libraries of the configuration

    process = Path(f"/proc/{pid}")
    try:
        variables = dict(each.partition(b"=")[::2] for each in (process / "environ").read_bytes().split(b"\0"))
        return (process / "cwd").resolve(strict=True) / os.fsdecode(variables.get(b"CHORUS_CONFIG") or DEFAULT_CONFIG.encode())
    except OSError:
        return None
