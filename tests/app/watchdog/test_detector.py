"""app.watchdog.detector: growth that continues after the tracing is a leak; and the detector imports nothing while it looks."""

import subprocess
import sys

import pytest

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
FREE_LISTS = """
import gc, sys

from app.watchdog.detector import Investigation
from app.watchdog.sampler import Gauges
from app.watchdog.trend import Trend, signals
from ops.benchmarks.faults import PythonLeak

LEAK_BYTES, KIB = 512, 1024
gc.collect()
gc.disable()
gauges, leak, known = Gauges(), PythonLeak(64 * KIB), signals(LEAK_BYTES)
(blocks,) = (signal for signal in known if signal.unit == "blocks")
per_request = 64 * KIB // 248
before = sys.getallocatedblocks()
suspected = Trend(per_request, per_request, per_request, 1.0, (-200, 0), (before - 200 * per_request, before))
investigation, requests, is_over = Investigation({blocks: suspected}, known, lambda: 0.0), 0, False
while not is_over:
    for _ in range(5):
        requests += 1
        leak.serve(requests)
        if requests == 57:
            # As counting all objects does: tuples that are freed are kept, and count as blocks, until a collection frees them.
            assert [tuple(range(length)) for length in range(1, 11) for _ in range(600)]
        if requests == int(sys.argv[1]):
            gc.collect()
    is_over = investigation.add(gauges.sample(requests))
print(investigation.result(LEAK_BYTES).kind)
"""


def run(script, *arguments):
    """Run `script` in its own process: garbage of other tests, collected here, would count as freed blocks."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, done.stdout


@pytest.mark.parametrize("collected_at", [75, 80, 85])
def test_emptied_free_lists_do_not_hide_objects_that_stay(collected_at):
    """Tracing has just ended, and a collection runs while the detector checks whether the objects still grow."""
    assert (0, "", "python\n") == run(FREE_LISTS, str(collected_at))


def test_looking_for_growth_imports_nothing():
    """`numpy.median` imported `numpy.ma`: 6,000 blocks at the first look."""
    assert (0, "", "\n") == run(WITHOUT_GROWTH)
