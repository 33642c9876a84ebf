"""What is watched, and how fast it may grow."""

from dataclasses import dataclass

#: Python allocates objects of up to so many bytes from pools of its own.
_POOLED_BYTES = 512
#: A descriptor or a thread in fifty requests.
_RARELY = 0.02


@dataclass(frozen=True)
class Signal:
    """One value of `MemorySample`."""

    name: str
    #: What an alert is counted as (`scoreboard.layout.LEAKS`).
    kind: str
    unit: str
    #: Slower growth is none.
    least_per_request: float


def signals(leak_bytes: int) -> tuple[Signal, ...]:
    """Return the signals, those that say most of a leak first.

    Blocks are counted, not measured: from as many as could hold `leak_bytes` on, one at
    least. Whether they do hold them is found out before the alert.
    """
    return (
        Signal("threads", "threads", "threads", _RARELY),
        Signal("descriptors", "descriptors", "descriptors", _RARELY),
        Signal("device_bytes", "device", "bytes", leak_bytes),
        Signal("traced_bytes", "python", "bytes", leak_bytes),
        Signal("python_blocks", "python", "blocks", max(1.0, leak_bytes / _POOLED_BYTES)),
        Signal("live_bytes", "native", "bytes", leak_bytes),
    )
