"""An engine of ours without a server: `python -m ops.benchmarks.alone CONFIG`.

Reads a line for every text, JSON with `text`, `seed` and `soon`. Answers with a line, the
seconds of audio: of the whole text, or where it is wanted `soon`, of the first window
alone, as soon as that is there. Holds no measurement: whoever starts it looks at the clock.
"""

import json
import sys

from app.system import heap
from loader.config.settings import load_settings
from loader.voices.catalog import locate_all, open_catalog
from loader.voices.voice import Delivery, Voice


def main(config_path: str) -> None:
    """Open the voices as a server does, then speak until the input ends."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    settings = load_settings(config_path)
    voice = open_catalog(settings, locate_all(settings)).default
    for line in sys.stdin:
        print(_seconds(voice, **json.loads(line)), flush=True)


def _seconds(voice: Voice, text: str, seed: int, soon: bool) -> float:
    windows = voice.speak(text, Delivery(seed, soon=soon))
    samples = next(windows).size if soon else sum(window.size for window in windows)
    return samples / voice.sample_rate_hz


if __name__ == "__main__":
    main(sys.argv[1])
