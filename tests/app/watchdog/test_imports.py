"""app.watchdog: what judges allocates nothing that it would then judge."""

import subprocess
import sys

JUDGED = """
import random, sys
from app.watchdog.sample import MemorySample
from app.watchdog.watch import Watch
from loader.config.settings import WatchdogSettings

watch = Watch(WatchdogSettings(every=1000, growth=0.1, leak_bytes=512, action="log", trace=False))
draw, before = random.Random(1), set(sys.modules)
for requests in range(100, 600, 5):
    watch.add(MemorySample(requests, 8 * requests, 0, 0, 0, 2 * requests + draw.randrange(300), 9, 9, None, None))
assert watch.state.name == "BASELINED", watch.state
print(*sorted(set(sys.modules) - before))
"""


def test_looking_for_growth_imports_nothing():
    """`numpy.median` did: `numpy.ma`, 6,000 blocks when the first points were looked at."""
    done = subprocess.run([sys.executable, "-c", JUDGED], capture_output=True, text=True, check=False)

    assert (0, "", "\n") == (done.returncode, done.stderr, done.stdout)
