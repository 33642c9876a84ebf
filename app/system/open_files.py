"""The limit of open files: raised if that is allowed, and checked before a process works at it."""

import resource

from loader.config.settings import Settings
from loader.errors import ShortageError

#: An interpreter, its libraries, the scoreboard, the log, the listener: 21 were open at most (measured 2026-11-30).
_PROCESS_FILES = 48
#: A mapped artifact holds each of its files open: 19 at most so far, and espeak-ng reads one at a time.
_VOICE_FILES = 32
#: Connections of probes, listings and refusals, which need no turn.
_SPARE_FILES = 16
#: What the master holds open for a worker.
_WORKER_FILES = 2


def needed_to_speak(settings: Settings) -> int:
    """Return how many open files a process needs that speaks with the configured voices."""
    return _PROCESS_FILES + _VOICE_FILES * len(settings.voices)


def needed_to_serve(settings: Settings, workers: int) -> int:
    """Return how many a server needs in each of its processes: all requests that it admits have a connection."""
    admission = settings.admission
    # An answer that is made or waits for its client may have a temporary file besides its connection.
    answers = 2 * (settings.threads + admission.parked) + admission.queue + _SPARE_FILES
    return needed_to_speak(settings) + _WORKER_FILES * workers + answers


def require_open_files(needed: int, wanted: int = 0) -> None:
    """Raise this process's own limit as far as `needed` or, if that is more, `wanted`.

    Raises:
        ShortageError: the system allows fewer than `needed`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(needed, wanted) if hard == resource.RLIM_INFINITY else min(hard, max(needed, wanted))
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise ShortageError(
            f"this configuration needs {needed} open files in each process, the limit is {soft}; "
            f"raise it to at least {needed} (ulimit -n, or LimitNOFILE= of a systemd unit)"
        )
