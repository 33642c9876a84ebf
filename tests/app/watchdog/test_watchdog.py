"""app.watchdog: what grows with every request is found, and who holds it; what only seems to grow is not."""

import gc
import logging
import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest

from app.watchdog.watch import STRIDE
from app.watchdog.watchdog import Watchdog
from loader.config import WatchdogSettings
from tests.app.watchdog import leaks
from tests.app.watchdog.leaks import KIB, MIB

SETTINGS = WatchdogSettings(every=1000, growth=0.1, leak_bytes=512, action="log", trace=False)


@dataclass
class Worker:
    """A worker without its server: requests, one after the other, and its watchdog, which looks when it is due."""

    settings: WatchdogSettings = SETTINGS
    device_bytes: object = lambda: None
    #: The last one; all of them would be a leak.
    samples: deque = field(default_factory=lambda: deque(maxlen=1))
    alerts: list = field(default_factory=list)
    replaced: list = field(default_factory=list)
    may_be_replaced: bool = True
    served: int = 0

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
            self.watchdog.synthesised()
            self.served += 1
            self.clock_s += 0.1
            if self.served % STRIDE == 0:
                self.watchdog.look()
            if until_alert and self.alerts:
                return

    def work(self):
        """Do a little of what speaking does: take arrays of some length, and give them back."""
        samples = np.ones(self.random.randrange(10_000, 100_000), np.float32)
        assert [str(len(samples)) for _ in range(50)]


@pytest.fixture(autouse=True)
def frozen_heap():
    """As in a worker: what was there before is none of the collector's business."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def held():
    """Leaks, which are over when the test is."""
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
@pytest.mark.parametrize("make", [leaks.PythonLeak, leaks.BytesLeak, leaks.NumpyLeak])
def test_what_python_holds_is_found_with_the_line_that_took_it(make, size_bytes, held, caplog):
    worker = Worker()
    worker.serve(500, held(make(size_bytes)).serve)

    line = alert(caplog)
    assert "python" == line["kind"]
    assert line["lines"].startswith("tests/app/watchdog/leaks.py:")
    assert 0.8 * size_bytes < line["traced_bytes_per_request"] < 1.5 * size_bytes


@pytest.mark.parametrize("size_bytes", SIZES)
def test_tensors_are_found_by_their_shape(size_bytes, held, caplog):
    worker = Worker()
    worker.serve(500, held(leaks.TensorLeak(size_bytes)).serve)

    line = alert(caplog)
    assert "native" == line["kind"]
    assert line["arrays"].startswith(f"torch.Tensor (1, {size_bytes // 4}) float32 +")
    assert size_bytes <= line["bytes_per_request_high"] < 2 * size_bytes


@pytest.mark.parametrize("size_bytes", SIZES)
def test_memory_that_no_python_object_knows_is_native(size_bytes, held, caplog):
    worker = Worker()
    worker.serve(500, held(leaks.HeapLeak(size_bytes)).serve)

    line = alert(caplog)
    assert "native" == line["kind"]
    assert "arrays" not in line
    assert line["traced_bytes_per_request"] < size_bytes / 2
    assert size_bytes <= line["bytes_per_request_high"] < 2 * size_bytes


def test_descriptors_are_found_by_what_they_are(held, caplog):
    worker = Worker()
    worker.serve(500, held(leaks.DescriptorLeak()).serve)

    line = alert(caplog)
    assert ("descriptors", 1.0) == (line["kind"], line["descriptors_per_request"])
    assert leaks.__file__ in line["descriptor_kinds"]


def test_threads_are_found_by_their_name(held, caplog):
    worker = Worker()
    worker.serve(500, held(leaks.ThreadLeak()).serve)

    line = alert(caplog)
    assert ("threads", 1.0) == (line["kind"], line["threads_per_request"])
    assert line["thread_names"].startswith("Thread-N (forgotten) +")


def test_memory_of_the_device_is_told_apart(held, caplog):
    worker = Worker(device_bytes=lambda: 10**9 + 4096 * worker.served)
    worker.serve(500)

    line = alert(caplog)
    assert ("device", 4096.0) == (line["kind"], line["bytes_per_request"])


def test_a_leak_that_begins_late_is_found_as_soon(held):
    worker = Worker()
    worker.serve(2000)
    worker.serve(500, held(leaks.HeapLeak(KIB)).serve)

    ((found_at, kind),) = worker.alerts
    assert "native" == kind


NO_LEAKS = [
    leaks.Leak, leaks.LongerTexts, leaks.FillingCache, leaks.Fragmentation, lambda: leaks.OneHugeRequest(150),
    lambda: leaks.OneHugeRequest(400), leaks.Cycles, leaks.Steps,
]  # fmt: skip


@pytest.mark.parametrize("make", NO_LEAKS)
def test_what_only_seems_to_grow_is_no_leak(make, held, caplog):
    worker = Worker()
    worker.serve(10_000, held(make()).serve)

    assert [] == worker.alerts
    assert not caplog.records
