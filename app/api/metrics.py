"""Metrics: the scoreboard in Prometheus's formats. Series are of the server and its slots, so that their number is constant.

The totals are those of the board and never fall, whichever workers end. Importing prometheus_client takes 31 ms
(2026-11-24), so that `status` imports this module with the first scrape.
"""

import importlib.metadata
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from app.context import Context
from app.errors import WarmingUpError
from app.scoreboard.layout import State
from app.scoreboard.snapshot import Histogram, Snapshot, Totals, snapshot
from app.system.cgroup import GroupMemory, fullest_group
from loader.devices.accelerator import State as DeviceState
from loader.voices.catalog import Catalog
from loader.voices.voice import Voice

_HISTOGRAMS = {
    "request_s": ("tts_request_duration_seconds", "From the arrival of a request for speech until its answer was sent."),
    "queue_s": ("tts_queue_wait_seconds", "How long a request for speech waited for its turn, without refused requests."),
    "first_audio_s": ("tts_time_to_first_audio_seconds", "From the arrival of a request until its first audio was made."),
    "synthesis_s": ("tts_synthesis_seconds", "Time spent on making a speech, without waiting for its client."),
    "rtf": ("tts_real_time_factor", "Seconds of synthesis per second of audio; below 1 is faster than playback."),
}
_ODD_VERSION = re.compile(r"version=(?!\d{1,3}(?:\.\d{1,3}){0,2}\s*(?:[;,]|$))", re.ASCII)
#: Gauges of a worker, from the watchdog's last sample.
_MEMORY = {
    "live_bytes": ("tts_worker_live_bytes", "Memory of the native heap that is in use."),
    "retained_bytes": ("tts_worker_retained_bytes", "Memory of the native heap that is free but kept."),
    "anon_bytes": ("tts_worker_anon_bytes", "Resident memory without a file, including what is shared with the master."),
    "uss_bytes": ("tts_worker_uss_bytes", "Memory that would be free if the worker ended."),
    "python_blocks": ("tts_worker_python_blocks", "Blocks that Python's allocator has allocated."),
    "descriptors": ("tts_worker_open_descriptors", "Open file descriptors."),
    "threads": ("tts_worker_threads", "Threads, including native ones."),
    "device_bytes": ("tts_worker_device_bytes", "Memory of the device that tensors hold."),
    "traced_bytes": ("tts_worker_traced_bytes", "Memory of Python by tracemalloc; by default estimated from windows of tracing."),
}  # fmt: skip


def format_metrics(context: Context, accept: str) -> tuple[bytes, str]:
    """Return the text of a scrape and its content type.

    Args:
        context: of the worker that answers.
        accept: the scraper's `Accept`; OpenMetrics if it accepts that, else Prometheus's text format.
    """
    registry = CollectorRegistry()
    registry.register(_Scrape(context))
    # The library would compare a version that is no number.
    encode, content_type = choose_encoder("" if _ODD_VERSION.search(accept) else accept)
    return encode(registry), content_type


class _Scrape(Collector):
    """All metrics at one moment."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> Iterable[Metric]:
        """Return nothing; otherwise the registry would collect once to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        shot = snapshot(self._context.board)
        yield from _requests(shot.totals)
        yield from (_histogram(*_HISTOGRAMS[name], shot.totals.histograms[name]) for name in _HISTOGRAMS)
        yield from _now(shot)
        yield from _workers(shot)
        yield from _memory(shot)
        yield from _memory_limit(fullest_group())
        yield from _build(shot)
        if (catalogue := _ready_catalogue(self._context)) is not None:
            yield from _voices(catalogue)


def _requests(totals: Totals) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "tts_requests",
        "Answers, by route and HTTP status; a rare status counts as the next lower one that has a series."
        " A stream that fails after its head has status 200, and is failed in tts_speeches_total.",
        labels=("route", "code"),
    )
    for route, counts in totals.answers.items():
        for status, count in counts.items():
            answers.add_metric((route, str(status)), count)
    yield answers
    yield _counters("tts_rejected", "Requests for speech that were not admitted, by reason.", "reason", totals.refusals)
    yield CounterMetricFamily(
        "tts_distrusted_request_starts",
        "Requests with an impossible X-Request-Start: the proxy's clock is ahead of ours, or too far behind.",
        value=totals.distrusted_starts,
    )
    yield CounterMetricFamily(
        "tts_reader_ends", "Texts that ended a reader process; they were read in parts, or refused.",
        value=totals.reader_ends,
    )  # fmt: skip
    yield _counters(
        "tts_answers_cut", "Answers that were cut because their clients read them more slowly than others, or read nothing.",
        "reason", totals.cuts,
    )  # fmt: skip
    yield _counters("tts_speeches", "Speeches that ended, by outcome.", "outcome", totals.outcomes)
    yield CounterMetricFamily("tts_audio_seconds", "Seconds of audio that were made.", value=totals.audio_s)
    yield CounterMetricFamily("tts_input_characters", "Characters of the texts that were spoken.", value=totals.characters)


def _histogram(name: str, what: str, histogram: Histogram) -> Metric:
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(name, what, buckets=buckets, sum_value=histogram.sum)


def _now(shot: Snapshot) -> Iterator[Metric]:
    # Two words of a slot are not read at one moment.
    in_progress = max(0, sum(worker.active - worker.waiting for worker in shot.workers))
    yield GaugeMetricFamily("tts_requests_in_progress", "Requests for speech that have their turn.", in_progress)
    parked = sum(worker.parked for worker in shot.workers)
    yield GaugeMetricFamily("tts_answers_parked", "Answers that wait for their clients, without a turn.", parked)
    yield GaugeMetricFamily("tts_queue_depth", "Requests for speech that wait for their turn.", shot.waiting)
    yield GaugeMetricFamily("tts_queue_limit", "Requests that may wait; further ones are refused.", shot.queue)
    yield GaugeMetricFamily("tts_worker_places", "Requests for speech that each worker serves at a time.", shot.places)


def _workers(shot: Snapshot) -> Iterator[Metric]:
    workers = GaugeMetricFamily("tts_workers", "Workers, by state.", labels=("state",))
    states = [worker.state for worker in shot.workers]
    for state in State:
        if state is not State.FREE:
            workers.add_metric((state.name.lower(),), states.count(state.name.lower()))
    yield workers
    yield CounterMetricFamily("tts_worker_starts", "Workers that were forked.", value=shot.totals.forks)
    yield _counters("tts_worker_exits", "Workers that ended, by reason.", "reason", shot.totals.endings)
    yield _counters("tts_leak_alerts", "Alerts of the watchdog, by what grew.", "kind", shot.totals.leaks)


def _memory(shot: Snapshot) -> Iterator[Metric]:
    for measured, (name, what) in _MEMORY.items():
        gauge = GaugeMetricFamily(name, f"{what} Of the worker in that slot, at the watchdog's last sample.", labels=("worker",))
        for worker in shot.workers:
            if measured in worker.memory:
                gauge.add_metric((str(worker.slot),), worker.memory[measured])
        yield gauge


def _memory_limit(group: GroupMemory | None) -> Iterator[Metric]:
    of = "Of the control group nearest to its limit, including all processes in it; absent without a limit."
    limit = GaugeMetricFamily("tts_memory_limit_bytes", f"Memory limit of the control group. {of}")
    used = GaugeMetricFamily("tts_memory_working_set_bytes", f"Memory that the kernel cannot reclaim at once. {of}")
    if group is not None:
        limit.add_metric((), group.limit_bytes)
        used.add_metric((), group.working_set_bytes)
    yield from (limit, used)


def _build(shot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("tts_uptime_seconds", "Since the server's master started.", shot.up_s)
    serving = {"revision": shot.revision, "candidate": shot.rollout.candidate or ""}
    yield InfoMetricFamily("tts_revision", "What workers serve, and what is being rolled out.", value=serving)
    yield _counters("tts_rollouts", "New revisions, by how their rollout ended.", "outcome", shot.rollout.totals)
    yield InfoMetricFamily("tts_build", "Versions of what is running.", value=_versions())


@cache
def _versions() -> dict[str, str]:
    """Return the versions of what is running; cached, since they are a third of a scrape's time (1.1 of 2.8 ms, 2026-11-24)."""
    return {
        "version": importlib.metadata.version("chorus-tts"),
        "python": platform.python_version(),
        "onnxruntime": importlib.metadata.version("onnxruntime"),
    }


def _ready_catalogue(context: Context) -> Catalog | None:
    """Return the voices, or None if they are not ready: a scrape does not wait."""
    try:
        return context.warm_up.catalogue if context.warm_up.is_ready else None
    except WarmingUpError:
        return None


def _voices(catalogue: Catalog) -> Iterator[Metric]:
    yield GaugeMetricFamily("tts_voices", "Voices that can be requested.", len(catalogue.voices))
    described = InfoMetricFamily("tts_voice", "A voice, as the answering worker has it.", labels=())
    made = GaugeMetricFamily(
        "tts_voice_constructions",
        "How often a voice was constructed in the answering worker, including by its master; more than 1 is a defect.",
        labels=("voice", "generation"),
    )
    for voice in catalogue.voices:
        manifest, generation = voice.manifest, str(voice.generation)
        facts = {
            "voice": voice.name, "engine": manifest.engine, "device": _device(catalogue, voice),
            "precision": manifest.precision, "artifact": manifest.key,
            "release": voice.release, "version": voice.version, "generation": generation,
            "sample_rate_hz": str(voice.sample_rate_hz),
        }  # fmt: skip
        described.add_metric((), facts)
        made.add_metric((voice.name, generation), voice.parts.constructions)
    yield described
    yield made


def _device(catalogue: Catalog, voice: Voice) -> str:
    accelerator = catalogue.accelerator
    if accelerator is None or not voice.capabilities.uses_device or accelerator.state is not DeviceState.IN_USE:
        return "cpu"
    return accelerator.name


def _counters(name: str, what: str, label: str, counts: Mapping[str, int]) -> Metric:
    counters = CounterMetricFamily(name, what, labels=(label,))
    for value, count in counts.items():
        counters.add_metric((value,), count)
    return counters
