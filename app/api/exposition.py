"""A board as Prometheus reads it. Series are of the server and its slots, never of a process: their number stays the same.

The totals are those of the board, which never fall, so that no files of processes are
needed, and none of their ends is missed.
"""

import importlib.metadata
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
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

from app.context import Service
from app.errors import WarmingUpError
from app.scoreboard.layout import State
from app.scoreboard.snapshot import Histogram, Snapshot, Totals, snapshot
from app.system.cgroup import GroupMemory, fullest_group
from loader.devices.accelerator import State as DeviceState
from loader.voices.catalog import Catalog
from loader.voices.voice import Voice

_HISTOGRAMS = {
    "request_s": ("tts_request_duration_seconds", "From when a request for speech came until its answer was sent whole."),
    "queue_s": ("tts_queue_wait_seconds", "How long a request for speech waited for its turn; those refused not included."),
    "first_audio_s": ("tts_time_to_first_audio_seconds", "From when a request came until its first audio was made."),
    "synthesis_s": ("tts_synthesis_seconds", "Time spent on making a speech, not on waiting for whoever takes it."),
    "rtf": ("tts_real_time_factor", "Seconds of synthesis for a second of audio; below 1 it is faster than it is heard."),
}
_ODD_VERSION = re.compile(r"version=(?!\d{1,3}(?:\.\d{1,3}){0,2}\s*(?:[;,]|$))", re.ASCII)
#: Of a worker, as the watchdog last measured it.
_MEMORY = {
    "live_bytes": ("tts_worker_live_bytes", "Memory of the native heap that is in use."),
    "retained_bytes": ("tts_worker_retained_bytes", "Memory of the native heap that is free and not given back."),
    "anon_bytes": ("tts_worker_anon_bytes", "Resident memory that no file backs, what it shares with the master included."),
    "uss_bytes": ("tts_worker_uss_bytes", "Memory that would be free if the worker ended."),
    "python_blocks": ("tts_worker_python_blocks", "Blocks that Python's allocator has given out."),
    "descriptors": ("tts_worker_open_descriptors", "Open file descriptors."),
    "threads": ("tts_worker_threads", "Threads, native ones included."),
    "device_bytes": ("tts_worker_device_bytes", "Memory of the device that tensors hold."),
    "traced_bytes": ("tts_worker_traced_bytes", "Memory of Python by tracemalloc; by default estimated from windows of tracing."),
}  # fmt: skip


def exposition(service: Service, accept: str) -> tuple[bytes, str]:
    """Return the text of a scrape and its content type.

    Args:
        service: of the worker that answers.
        accept: what the scraper asked for; OpenMetrics if it did, else the text format of Prometheus.
    """
    registry = CollectorRegistry()
    registry.register(_Scrape(service))
    encode, content_type = _encoder(accept)
    return encode(registry), content_type


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """Return who writes the format that is asked for; the plain one if a version is none: the library would compare it."""
    return choose_encoder("" if _ODD_VERSION.search(accept) else accept)


class _Scrape(Collector):
    """Everything there is to say, at one moment."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Name nothing: else the registry would collect once to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        shot = snapshot(self._service.hands.board)
        yield from _requests(shot.totals)
        yield from (_histogram(*_HISTOGRAMS[name], shot.totals.histograms[name]) for name in _HISTOGRAMS)
        yield from _now(shot)
        yield from _workers(shot)
        yield from _memory(shot)
        yield from _room(fullest_group())
        yield from _build(shot)
        if (catalogue := _ready_catalogue(self._service)) is not None:
            yield from _voices(catalogue)


def _requests(totals: Totals) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "tts_requests",
        "Answers, by what was asked for and HTTP status; a rare status counts as the next lower one that has a series."
        " Of a stream that fails after its head the status is 200, and tts_speeches_total has it as failed.",
        labels=("route", "code"),
    )
    for route, counts in totals.answers.items():
        for status, count in counts.items():
            answers.add_metric((route, str(status)), count)
    yield answers
    yield _counters("tts_rejected", "Requests for speech that were not let in, and why.", "reason", totals.refusals)
    yield CounterMetricFamily(
        "tts_distrusted_request_starts",
        "Requests whose X-Request-Start was not believed: the proxy's clock is ahead of ours, or too far behind.",
        value=totals.distrusted_starts,
    )
    yield CounterMetricFamily(
        "tts_reader_ends", "Texts that ended the process which reads them; they were read in parts, or refused.",
        value=totals.reader_ends,
    )  # fmt: skip
    yield _counters(
        "tts_answers_cut", "Answers that were cut, because their clients took them more slowly than others, or took nothing.",
        "reason", totals.cuts,
    )  # fmt: skip
    yield _counters("tts_speeches", "Speeches that ended, and how.", "outcome", totals.outcomes)
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
    yield GaugeMetricFamily("tts_queue_limit", "Requests that may wait; more are refused.", shot.queue)
    yield GaugeMetricFamily("tts_worker_places", "Requests for speech that each worker serves at a time.", shot.places)


def _workers(shot: Snapshot) -> Iterator[Metric]:
    workers = GaugeMetricFamily("tts_workers", "Workers, by what they are doing.", labels=("state",))
    states = [worker.state for worker in shot.workers]
    for state in State:
        if state is not State.FREE:
            workers.add_metric((state.name.lower(),), states.count(state.name.lower()))
    yield workers
    yield CounterMetricFamily("tts_worker_starts", "Workers that were forked.", value=shot.totals.forks)
    yield _counters("tts_worker_exits", "Workers that ended, and how.", "reason", shot.totals.endings)
    yield _counters("tts_leak_alerts", "Alerts of the watchdog, by what grew.", "kind", shot.totals.leaks)


def _memory(shot: Snapshot) -> Iterator[Metric]:
    for measured, (name, what) in _MEMORY.items():
        gauge = GaugeMetricFamily(name, f"{what} Of the worker in that slot, when the watchdog last looked.", labels=("worker",))
        for worker in shot.workers:
            if measured in worker.memory:
                gauge.add_metric((str(worker.slot),), worker.memory[measured])
        yield gauge


def _room(group: GroupMemory | None) -> Iterator[Metric]:
    of = "Of the control group that is nearest to its limit, with all that is in it; none where nothing is limited."
    limit = GaugeMetricFamily("tts_memory_limit_bytes", f"Memory there may be before the kernel kills. {of}")
    used = GaugeMetricFamily("tts_memory_working_set_bytes", f"Memory that the kernel cannot take back at once. {of}")
    if group is not None:
        limit.add_metric((), group.limit_bytes)
        used.add_metric((), group.working_set_bytes)
    yield from (limit, used)


def _build(shot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("tts_uptime_seconds", "Since the server's master started.", shot.up_s)
    yield InfoMetricFamily("tts_build", "What is running.", value=_versions())


@cache
def _versions() -> dict[str, str]:
    """Return what is running; read once, for it is a third of a scrape's time (1.1 of 2.8 ms, 2026-11-24)."""
    return {
        "version": importlib.metadata.version("chorus-tts"),
        "python": platform.python_version(),
        "onnxruntime": importlib.metadata.version("onnxruntime"),
    }


def _ready_catalogue(service: Service) -> Catalog | None:
    """Return the voices, or None at once where they are not ready: a scrape does not wait."""
    try:
        return service.catalogue if service.warm_up.is_ready else None
    except WarmingUpError:
        return None


def _voices(catalogue: Catalog) -> Iterator[Metric]:
    yield GaugeMetricFamily("tts_voices", "Voices that can be asked for.", len(catalogue.voices))
    described = InfoMetricFamily("tts_voice", "A voice, as the answering worker has it.", labels=())
    made = GaugeMetricFamily(
        "tts_voice_constructions",
        "How often the answering worker has a voice constructed, its master's work included; more than 1 is a defect.",
        labels=("voice", "generation"),
    )
    for voice in catalogue.voices:
        manifest, generation = voice.manifest, str(voice.generation)
        facts = {
            "voice": voice.name, "engine": manifest.engine, "device": _device(catalogue, voice),
            "precision": manifest.precision, "artifact": manifest.key, "generation": generation,
            "sample_rate_hz": str(voice.sample_rate_hz),
        }  # fmt: skip
        described.add_metric((), facts)
        made.add_metric((voice.name, generation), voice.constructions)
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
