"""Memory layout of the scoreboard, and the names of its counters.

Every number is one aligned word of eight bytes, which is written atomically: if a worker is
killed in mid-write, each number has its old or its new value. Readers must not rely on two
numbers agreeing; a histogram's count is the sum of its buckets.
"""

from enum import IntEnum

import numpy as np

#: Name of the memory among a process's descriptors, and its first bytes.
NAME = "chorus-scoreboard"
#: Version of the layout; raise it with every change below.
FORMAT = 8

ROUTES = ("speech", "captions", "explain", "coqui", "marytts", "listings", "page", "status", "other")
#: Statuses with a counter; others count as the next lower one.
STATUSES = (200, 304, 400, 401, 404, 405, 408, 413, 414, 415, 422, 429, 431, 499, 500, 503)
#: How a speech ended.
OUTCOMES = ("done", "failed", "abandoned", "refused")
#: Why a request was not admitted.
REFUSALS = ("queue_full", "waited_too_long", "client_left")
#: Why an answer was cut: its client read more slowly than those of other parked answers, or read nothing.
CUTS = ("too_slow", "stuck")
#: How a worker ended.
ENDINGS = ("stopped", "failed", "killed", "stalled")
#: What grew when the watchdog raised an alert.
LEAKS = ("python", "native", "descriptors", "threads", "device")

#: How the preparation of a revision, or its rollout, ended.
ROLLOUTS = ("completed", "unchanged", "refused", "abandoned", "superseded")

#: Upper bounds of the buckets; one more bucket counts larger values.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
FACTORS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 4.0)
#: Histograms of speeches, and the bounds of each.
HISTOGRAMS = {"request_s": SECONDS, "first_audio_s": SECONDS, "queue_s": SECONDS, "synthesis_s": SECONDS, "rtf": FACTORS}

_ERROR_BYTES = 160
REASON_BYTES = 480


class State(IntEnum):
    """What a slot's worker is doing."""

    FREE = 0
    STARTING = 1
    READY = 2
    #: It takes no new requests, and ends after its last one.
    DRAINING = 3


def _histogram(name: str, bounds: tuple[float, ...]) -> list[tuple[str, str, int] | tuple[str, str]]:
    return [(name, "i8", len(bounds) + 1), (f"{name}_sum", "f8")]


HEADER = np.dtype(
    [
        ("name", "S24"), ("format", "i8"), ("slots", "i8"),
        ("master", "i8"), ("began_at_s", "f8"), ("cores", "i8"), ("places", "i8"), ("queue", "i8"),
        # Number of the revision that workers are forked from, and of the one that is being rolled out; 0 if there is none.
        ("revision", "i8"), ("candidate", "i8"),
        # What the last rollout does or how it ended, since when (Unix), and why.
        ("rollout", "S16"), ("rollout_at_s", "f8"), ("rollout_reason", f"S{REASON_BYTES}"), ("rollouts", "i8", len(ROLLOUTS)),
    ]
)  # fmt: skip

#: What the watchdog samples; 0 means not measured.
SAMPLED = (
    "live_bytes", "retained_bytes", "anon_bytes", "uss_bytes", "python_blocks", "descriptors", "threads", "device_bytes",
    "traced_bytes",
)  # fmt: skip

#: Values of the slot's present worker. Times are of the monotonic clock, except those that end in `_at_s` (Unix).
GAUGES = [
    ("pid", "i8"), ("state", "i8"), ("began_at_s", "f8"),
    # Number of the revision that it serves.
    ("revision", "i8"),
    # Index in `ENDINGS` plus one, once the worker knows how it will end.
    ("ending", "i8"),
    ("voices", "i8"), ("connections", "i8"), ("active", "i8"), ("waiting", "i8"), ("speaking", "i8"),
    # Answers that wait for their clients without a turn.
    ("parked", "i8"),
    # Start of the oldest piece in synthesis, and when it counts as stalled; 0 if there is none.
    ("request_since_s", "f8"), ("stalls_s", "f8"),
    # Moving average of the time that a request has its turn.
    ("service_s", "f8"),
    ("sampled_at_s", "f8"), *((name, "f8") for name in SAMPLED),
]  # fmt: skip

#: Totals over all workers that have had the slot; they never fall.
TOTALS = [
    ("forks", "i8"), ("answers", "i8", (len(ROUTES), len(STATUSES))),
    ("outcomes", "i8", len(OUTCOMES)), ("refusals", "i8", len(REFUSALS)), ("cuts", "i8", len(CUTS)),
    ("endings", "i8", len(ENDINGS)), ("leaks", "i8", len(LEAKS)), ("audio_s", "f8"), ("characters", "i8"),
    ("distrusted_starts", "i8"), ("reader_ends", "i8"),
    *(word for name, bounds in HISTOGRAMS.items() for word in _histogram(name, bounds)),
]  # fmt: skip

#: The last error may be torn if its worker was killed in mid-write.
SLOT = np.dtype([*GAUGES, *TOTALS, ("error_at_s", "f8"), ("error", f"S{_ERROR_BYTES}")])
