"""Detector: growth that goes on after the tracing is a leak; and looking for it imports nothing."""

import gc
import subprocess
import sys

import pytest

from app.watchdog.detector import Suspicion
from app.watchdog.sampler import Gauges
from app.watchdog.trend import Trend, signals
from tests.app.watchdog.leaks import KIB, PythonLeak

WITHOUT_GROWTH = """
import random, sys
from app.watchdog.detector import Detector
from app.watchdog.sampler import MemorySample
from loader.config.settings import WatchdogSettings

detector = Detector(WatchdogSettings(every=1000, growth=0.1, leak_bytes=512, action="log", trace=False))
draw, before = random.Random(1), set(sys.modules)
for requests in range(100, 600, 5):
    detector.add(MemorySample(requests, 8 * requests, 0, 0, 0, 2 * requests + draw.randrange(300), 9, 9, None, None))
assert detector.state.name == "BASELINED", detector.state
print(*sorted(set(sys.modules) - before))
"""
LEAK_BYTES = 512


@pytest.fixture
def uncollected():
    """The collector runs only when it is called."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def fill_free_lists():
    """As counting all objects does: tuples that are freed are kept, and count as blocks, until a collection lets go of them."""
    assert [tuple(range(length)) for length in range(1, 11) for _ in range(600)]


@pytest.mark.parametrize("collected_at", [75, 80, 85])
def test_free_lists_that_are_emptied_do_not_hide_objects_that_stay(uncollected, collected_at):
    """Tracing has just ended, and the next collection comes while it is looked whether the objects go on growing."""
    gauges, leak, known = Gauges(), PythonLeak(64 * KIB), signals(LEAK_BYTES)
    (blocks,) = (signal for signal in known if signal.unit == "blocks")
    per_request = 64 * KIB // 248
    before = sys.getallocatedblocks()
    suspected = Trend(per_request, per_request, per_request, 1.0, (-200, 0), (before - 200 * per_request, before))
    suspicion, requests, is_over = Suspicion({blocks: suspected}, known, lambda: 0.0), 0, False
    while not is_over:
        for _ in range(5):
            requests += 1
            leak.serve(requests)
            if requests == 57:
                fill_free_lists()
            if requests == collected_at:
                gc.collect()
        is_over = suspicion.add(gauges.sample(requests))
    leak.close()

    assert "python" == suspicion.verdict(LEAK_BYTES).kind


def test_looking_for_growth_imports_nothing():
    """`numpy.median` did: `numpy.ma`, 6,000 blocks when the first points were looked at."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_GROWTH], capture_output=True, text=True, check=False)

    assert (0, "", "\n") == (done.returncode, done.stderr, done.stdout)
