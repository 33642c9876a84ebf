"""The one line that says all there is to know about a leak. Imported when there is one."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from app.watchdog.room import requests_left
from app.watchdog.sample import MemorySample
from app.watchdog.suspicion import Leak

#: Of each list, the entries that are named.
_NAMED = 3
#: What grew in less than one request of so many is by the way.
_SELDOM = 10


def described(leak: Leak, now: MemorySample, action: str) -> dict[str, Any]:
    """Return the fields of the event; in a list the entries are parted by semicolons, the largest first.

    Args:
        leak: what grows.
        now: the worker's latest sample.
        action: what is done about it.
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
    """Return who holds it, as far as that was found."""
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
