"""The alert: one log event with the leak, its attribution, and how long the worker can continue. Imported on the first alert."""

import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.system.cgroup import Groups, limited_groups
from app.watchdog.detector import Leak
from app.watchdog.sampler import MemorySample
from app.watchdog.trend import Signal

#: Entries of each list that are named.
_NAMED = 3
#: Kinds that grew by less than one object in this many requests are left out.
_SELDOM = 10


def alert_fields(leak: Leak, now: MemorySample, action: str) -> dict[str, Any]:
    """Return the fields of the event; entries of lists are separated by semicolons, the largest first.

    Args:
        leak: the confirmed leak.
        now: the worker's latest sample.
        action: what the watchdog does about it.
    """
    trend, unit = leak.trend, leak.signal.unit
    fields = {
        "kind": leak.kind,
        "signal": leak.signal.name,
        "also": ",".join(each.name for each in leak.also) or None,
        f"{unit}_per_request": round(trend.slope, 2),
        f"{unit}_per_request_low": round(trend.low, 2),
        f"{unit}_per_request_high": round(trend.high, 2),
        "from_request": trend.requests[0],
        "to_request": trend.requests[1],
        f"from_{unit}": int(trend.values[0]),
        f"to_{unit}": int(trend.values[1]),
        "requests_left": requests_left(leak.signal, trend.slope, now),
        **_held(leak),
        **_worker(now),
        "action": action,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _held(leak: Leak) -> dict[str, Any]:
    """Return the findings: lines, and kinds of objects."""
    found, grown = leak.findings, leak.findings.grown
    sites = (f"{site.at} +{site.grown_count} +{site.grown_bytes} bytes" for site in found.sites)
    arrays = (f"{kind} +{count} +{grown.array_bytes[kind]} bytes" for kind, count in _often(grown.arrays, found.requests))
    return {
        "traced_requests": found.requests,
        "traced_bytes_per_request": round(found.traced_per_request),
        "lines": _listed(sites),
        "arrays": _listed(arrays),
        "objects": _counted(grown.objects, found.requests),
        "descriptor_kinds": _counted(grown.descriptors, found.requests),
        "thread_names": _counted(grown.threads, found.requests),
    }


def _worker(now: MemorySample) -> dict[str, Any]:
    return {
        "live_bytes": now.live_bytes,
        "retained_bytes": now.retained_bytes,
        "anon_bytes": now.anon_bytes,
        "python_blocks": now.python_blocks,
        "descriptors": now.descriptors,
        "threads": now.threads,
        "device_bytes": now.device_bytes,
    }


def _often(grown: Counter[str], requests: int) -> Iterator[tuple[str, int]]:
    return ((kind, count) for kind, count in grown.most_common() if count * _SELDOM >= requests)


def _counted(grown: Counter[str], requests: int) -> str | None:
    return _listed(f"{kind} +{count}" for kind, count in _often(grown, requests))


def _listed(entries: Iterator[str]) -> str | None:
    return "; ".join(entry for entry, _ in zip(entries, range(_NAMED), strict=False)) or None


def requests_left(signal: Signal, slope: float, now: MemorySample) -> int | None:
    """Return the number of requests after which nothing is left at this rate; None if it is unknown.

    Args:
        signal: that grows.
        slope: growth of the signal per request.
        now: the worker's latest sample.
    """
    if slope <= 0:
        return None
    if signal.kind == "descriptors":
        headroom: int | None = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - now.descriptors
    elif signal.kind in ("python", "native") and signal.unit == "bytes":
        headroom = memory_headroom_bytes()
    else:
        headroom = None
    return None if headroom is None else max(0, int(headroom / slope))


def memory_headroom_bytes(meminfo: Path = Path("/proc/meminfo"), groups: Groups = Groups()) -> int | None:
    """Return the bytes that the machine and every control group above this process still have; None if unknown."""
    headrooms = [each.limit_bytes - each.working_set_bytes for each in limited_groups(groups)]
    return min([*_available(meminfo), *headrooms], default=None)


def _available(meminfo: Path) -> list[int]:
    lines = meminfo.read_text(encoding="ascii").splitlines()
    return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
