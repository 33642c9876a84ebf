"""app.watchdog: memory that grows with every request is found and attributed; apparent growth is not."""

import gc
import logging
import os
import random
import re
import threading
import tracemalloc
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

import app.watchdog.watchdog
from app.watchdog.detector import STRIDE
from app.watchdog.sampler import anon_bytes
from app.watchdog.watchdog import Watchdog
from loader.config.settings import WatchdogSettings
from ops.benchmarks import faults
from tests.app.watchdog import leaks
from tests.app.watchdog.leaks import KIB, MIB

SETTINGS = WatchdogSettings(every=1000, growth=0.1, leak_bytes=512, action="log", trace=False)


@dataclass
class Worker:
    """A worker without its server: requests, one after the other, and its watchdog, which looks when it is due."""

    settings: WatchdogSettings = SETTINGS
    device_bytes: object = lambda: None
    #: Only the last one: keeping all of them would be a leak.
    samples: deque = field(default_factory=lambda: deque(maxlen=1))
    alerts: list = field(default_factory=list)
    replaced: list = field(default_factory=list)
    may_be_replaced: bool = True
    served: int = 0
    voice: str = "joe"

    def __post_init__(self):
        self.random = random.Random(1)
        self.clock_s = 0.0
        self.watchdog = Watchdog(
            self.settings, self.samples.append, lambda kind: self.alerts.append((self.served, kind)),
            lambda: self.may_be_replaced, lambda: self.replaced.append(self.served), self.device_bytes,
            lambda: self.clock_s,
        )  # fmt: skip

    def serve(self, requests, serve=lambda number: None, until_alert=True):
        for _ in range(requests):
            self.work()
            serve(self.served)
            self.watchdog.synthesised(self.voice)
            self.served += 1
            self.clock_s += 0.1
            if self.served % STRIDE == 0:
                self.watchdog.look()
            if until_alert and self.alerts:
                return

    def work(self):
        """Allocate arrays of random length and free them, as synthesis does."""
        samples = np.ones(self.random.randrange(10_000, 100_000), np.float32)
        assert [str(len(samples)) for _ in range(50)]


@pytest.fixture(autouse=True)
def frozen_heap():
    """Freeze what exists, so that the garbage collector ignores it, as in a worker."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def held():
    """Register leaks, which are freed at the end of the test."""
    made = []
    yield lambda leak: made.append(leak) or leak
    for leak in made:
        leak.close()


def alert(caplog):
    (line,) = [record.msg for record in caplog.records if record.levelno >= logging.WARNING]
    assert "memory.leak_suspected" == line["event"]
    return line


SIZES = [KIB, 64 * KIB, MIB]


@pytest.mark.parametrize("size_bytes", SIZES)
@pytest.mark.parametrize("make", [faults.PythonLeak, faults.BytesLeak, faults.NumpyLeak])
def test_memory_held_by_python_is_reported_with_the_line_that_allocated_it(make, size_bytes, held, caplog):
    worker = Worker()
    worker.serve(500, held(make(size_bytes)).serve)

    line = alert(caplog)
    assert "python" == line["kind"]
    assert line["lines"].startswith("ops/benchmarks/faults.py:")
    assert 0.8 * size_bytes < line["traced_bytes_per_request"] < 1.5 * size_bytes


@pytest.mark.parametrize("size_bytes", SIZES)
def test_tensors_are_reported_by_shape(size_bytes, held, caplog):
    worker = Worker()
    worker.serve(500, held(faults.TensorLeak(size_bytes)).serve)

    line = alert(caplog)
    assert "native" == line["kind"]
    assert line["arrays"].startswith(f"torch.Tensor (1, {size_bytes // 4}) float32 +")
    assert size_bytes <= line["bytes_per_request_high"] < 2 * size_bytes


@pytest.mark.parametrize("size_bytes", SIZES)
def test_memory_without_a_python_object_is_native(size_bytes, held, caplog):
    worker = Worker()
    worker.serve(500, held(faults.HeapLeak(size_bytes)).serve)

    line = alert(caplog)
    assert "native" == line["kind"]
    assert "arrays" not in line
    assert line["traced_bytes_per_request"] < size_bytes / 2
    assert size_bytes <= line["bytes_per_request_high"] < 2 * size_bytes


def test_descriptors_are_reported_by_path(held, caplog):
    worker = Worker()
    worker.serve(500, held(faults.DescriptorLeak()).serve)

    line = alert(caplog)
    assert ("descriptors", 1.0) == (line["kind"], line["descriptors_per_request"])
    assert re.sub(r"\d+", "N", faults.__file__) in line["descriptor_kinds"]


def test_threads_are_reported_by_name(held, caplog):
    worker = Worker()
    worker.serve(500, held(faults.ThreadLeak()).serve)

    line = alert(caplog)
    assert ("threads", 1.0) == (line["kind"], line["threads_per_request"])
    assert line["thread_names"].startswith("Thread-N (forgotten) +")


def test_memory_of_the_device_is_a_kind_of_its_own(held, caplog):
    worker = Worker(device_bytes=lambda: 10**9 + 4096 * worker.served)
    worker.serve(500)

    line = alert(caplog)
    assert ("device", 4096.0) == (line["kind"], line["bytes_per_request"])


def test_a_leak_that_starts_late_is_found_as_soon(held):
    worker = Worker()
    worker.serve(2000)
    worker.serve(500, held(faults.HeapLeak(KIB)).serve)

    ((found_at, kind),) = worker.alerts
    assert "native" == kind


NO_LEAKS = [
    faults.Leak, leaks.LongerTexts, leaks.FillingCache, leaks.Fragmentation, lambda: leaks.OneHugeRequest(150),
    lambda: leaks.OneHugeRequest(400), leaks.Cycles, leaks.Steps,
]  # fmt: skip


@pytest.mark.parametrize("make", NO_LEAKS)
def test_apparent_growth_is_not_a_leak(make, held, caplog):
    worker = Worker()
    worker.serve(10_000, held(make()).serve)

    assert [] == worker.alerts
    assert not caplog.records


def test_slow_growth_of_the_device_is_found_by_the_rule_of_sustained_growth(caplog):
    settings = replace(SETTINGS, every=100, leak_bytes=MIB)
    worker = Worker(settings, device_bytes=lambda: 10**6 + 600 * worker.served)
    worker.serve(1000)

    line = alert(caplog)
    assert ("device", 600.0) == (line["kind"], line["bytes_per_request"])


def test_slow_growth_of_the_device_is_found_while_a_tracing_window_is_open(caplog):
    """The windows are so frequent that one is open whenever the device is sampled."""
    worker = Worker(replace(SETTINGS, every=10, leak_bytes=MIB), device_bytes=lambda: 10**6 + 6000 * worker.served)
    worker.serve(1000)

    assert "device" == alert(caplog)["kind"]


def test_voices_that_start_to_use_the_device_in_turn_are_not_growth():
    settings = replace(SETTINGS, every=100, leak_bytes=MIB)
    worker = Worker(settings, device_bytes=lambda: 10**6 * (1 + worker.served // 100))
    for voice in range(8):
        worker.voice = f"voice {voice}"
        worker.serve(100)

    assert [] == worker.alerts


def test_voices_that_are_opened_in_turn_are_not_growth(held, caplog):
    """Each takes 2 MiB of the C heap at its first speech, in every thirtieth request."""
    worker, opened = Worker(), held(faults.HeapLeak(2 * MIB))
    for voice in range(100):
        worker.voice = f"voice {voice}"
        opened.serve(voice)
        worker.serve(30)

    assert [] == worker.alerts


def test_voices_that_are_closed_and_opened_again_are_not_growth():
    worker = Worker(replace(SETTINGS, every=100, leak_bytes=MIB), device_bytes=lambda: 10**6 * (1 + worker.served // 100))
    for _ in range(8):
        worker.serve(100)
        worker.watchdog.closed("joe")

    assert [] == worker.alerts


def test_a_leak_is_found_once_no_further_voice_is_opened(held, caplog):
    worker, leak = Worker(), held(faults.NumpyLeak(64 * KIB))
    for voice in range(10):
        worker.voice = f"voice {voice}"
        worker.serve(30, leak.serve)
    before = list(worker.alerts)
    worker.serve(500, leak.serve)

    assert [] == before
    assert "python" == alert(caplog)["kind"]


def test_slow_growth_of_traced_memory_is_found_by_the_rule_of_sustained_growth(held, caplog):
    tracemalloc.start()
    try:
        worker = Worker(replace(SETTINGS, trace=True, every=100, growth=0.001, leak_bytes=MIB))
        worker.serve(1000, held(faults.BytesLeak(4 * KIB)).serve)

        assert ("python", "traced_bytes") == tuple(alert(caplog)[name] for name in ("kind", "signal"))
    finally:
        tracemalloc.stop()


def test_tracing_windows_alone_find_a_python_leak(held, caplog):
    """No slope can raise an alert here: it would have to be above 1 MiB per request."""
    worker = Worker(replace(SETTINGS, leak_bytes=MIB))
    worker.serve(10_000, held(faults.PythonLeak(KIB)).serve)

    line = alert(caplog)
    assert ("python", "traced_bytes") == (line["kind"], line["signal"])
    assert 0.7 * KIB < line["bytes_per_request"] < 1.3 * KIB
    assert line["lines"].startswith("ops/benchmarks/faults.py:")


def test_tracing_windows_cover_a_small_part_of_all_requests():
    worker, traced = Worker(), 0
    for _ in range(3000):
        worker.serve(1)
        traced += tracemalloc.is_tracing()

    assert 0 < traced <= 0.05 * 3000
    assert worker.samples[-1].traced_bytes


def test_with_tracing_always_on_a_leak_is_found_and_tracing_stays_on(held, caplog):
    tracemalloc.start()
    try:
        worker = Worker(replace(SETTINGS, trace=True))
        worker.serve(500, held(faults.NumpyLeak(64 * KIB)).serve)

        assert "python" == alert(caplog)["kind"]
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_tracing_ends_after_the_alert(held):
    Worker().serve(500, held(faults.NumpyLeak(64 * KIB)).serve)

    assert not tracemalloc.is_tracing()


def test_a_continuing_leak_is_reported_at_growing_intervals(held):
    worker = Worker()
    worker.serve(4000, held(faults.HeapLeak(KIB)).serve, until_alert=False)

    found_at = [number for number, _ in worker.alerts]
    assert 3 <= len(found_at) <= 4
    assert all(later >= 2 * earlier for earlier, later in pairwise(found_at))


def test_a_leaking_worker_waits_for_its_turn_to_be_replaced(held):
    worker = Worker(replace(SETTINGS, action="replace"), may_be_replaced=False)
    worker.serve(500, held(faults.HeapLeak(KIB)).serve)
    worker.serve(20, until_alert=False)
    before = list(worker.replaced)
    worker.may_be_replaced = True
    worker.serve(20, until_alert=False)

    assert [] == before
    assert 1 == len(worker.replaced)


def test_the_trim_action_returns_free_memory_to_the_system(held):
    freed_mib = {}
    for action in ("log", "trim"):
        worker = Worker(replace(SETTINGS, action=action))
        pieces = [bytearray(100 * KIB) for _ in range(1000)]
        pinned = pieces[::50]
        del pieces
        before_bytes = anon_bytes()
        worker.serve(500, held(faults.HeapLeak(KIB)).serve)
        freed_mib[action] = (before_bytes - anon_bytes()) // MIB
        assert 1 == len(worker.alerts) and 20 == len(pinned)

    assert freed_mib["log"] < 20 < 60 < freed_mib["trim"]


@pytest.mark.parametrize("action", ["log", "trim"])
def test_a_worker_is_replaced_only_if_the_action_is_replace(action, held):
    worker = Worker(replace(SETTINGS, action=action))
    worker.serve(500, held(faults.HeapLeak(KIB)).serve)

    assert 1 == len(worker.alerts)
    assert [] == worker.replaced


def test_every_sample_has_the_memory_of_the_process():
    worker = Worker()
    worker.serve(STRIDE)
    (sample,) = worker.samples

    assert STRIDE == sample.requests
    assert sample.live_bytes > MIB
    assert sample.anon_bytes > MIB
    assert sample.uss_bytes > MIB
    assert sample.python_blocks > 1000
    assert len(os.listdir("/proc/self/fd")) == sample.descriptors
    assert sample.threads >= threading.active_count()
    assert (None, None) == (sample.device_bytes, sample.traced_bytes)


def test_the_thread_samples_at_once_and_after_work_and_ends_when_stopped():
    samples, came = [], threading.Semaphore(0)
    watchdog = Watchdog(
        SETTINGS, lambda sample: (samples.append(sample), came.release()), lambda kind: None, lambda: True, lambda: None
    )
    watchdog.begin()
    assert came.acquire(timeout=60)
    watchdog.synthesised("joe")
    assert came.acquire(timeout=60)
    watchdog.stop()

    assert [0, 1] == [sample.requests for sample in samples[:2]]
    assert "watchdog" not in [thread.name for thread in threading.enumerate()]


def test_a_failed_look_is_logged_and_the_next_one_is_taken(monkeypatch, caplog):
    monkeypatch.setattr(app.watchdog.watchdog, "_FAILED_S", 0.0)
    came, failed, failures = threading.Semaphore(0), threading.Event(), iter([None, OSError("no descriptor is left")])

    def note(sample):
        if failure := next(failures, None):
            failed.set()
            raise failure
        came.release()

    watchdog = Watchdog(SETTINGS, note, lambda kind: None, lambda: True, lambda: None)
    watchdog.begin()
    assert came.acquire(timeout=60)
    watchdog.synthesised("joe")
    assert failed.wait(60)
    watchdog.synthesised("joe")
    assert came.acquire(timeout=60)
    watchdog.stop()

    (record,) = caplog.records
    assert "no descriptor is left" in str(record.exc_info[1])


def test_a_failing_watchdog_is_logged_and_does_no_harm(caplog):
    def note(sample):
        raise OSError("the board is gone")

    watchdog = Watchdog(SETTINGS, note, lambda kind: None, lambda: True, lambda: None)
    watchdog.begin()
    watchdog.stop()
    watchdog.synthesised("joe")

    (record,) = caplog.records
    assert "watchdog.failed" == record.msg
    assert "the board is gone" in str(record.exc_info[1])
