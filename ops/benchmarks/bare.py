"""The engine without a server: `python -m ops.benchmarks.bare CONFIG PROCESSES PASSES`.

Opens the voices as a server does, forks, and lets every process take the next sentence
until none is left. Prints one line: seconds of audio, seconds on the clock, seconds of core time.
"""

import multiprocessing
import sys
import time
from multiprocessing.context import ForkContext
from typing import Any

from app.system import heap
from loader.config.settings import load_settings
from loader.voices.catalog import locate_all, open_catalog
from loader.voices.voice import Delivery, Voice

from .texts import HELLO, SENTENCES


def main(config_path: str, processes: int, passes: int) -> None:
    """Speak every sentence `passes` times, in so many processes."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    settings = load_settings(config_path)
    voice = open_catalog(settings, locate_all(settings)).default
    texts = SENTENCES * passes
    context = multiprocessing.get_context("fork")
    gate, spoken = context.Barrier(processes + 1), context.SimpleQueue()
    _fork(context, processes, (voice, texts, context.Value("i", 0), gate, spoken))
    gate.wait()
    started_s = time.perf_counter()
    results = [spoken.get() for _process in range(processes)]
    took_s = time.perf_counter() - started_s
    print(sum(audio_s for audio_s, _ in results), took_s, sum(core_s for _, core_s in results), flush=True)


def _fork(context: ForkContext, processes: int, work: tuple[Any, ...]) -> None:
    for _process in range(processes):
        context.Process(target=_speak_on, args=work, daemon=True).start()


def _speak_on(voice: Voice, texts: tuple[str, ...], taken: Any, gate: Any, spoken: Any) -> None:
    """Speak whatever text nobody took yet, with the seed a client would send."""
    _seconds(voice, HELLO, 0)
    gate.wait()
    audio_s, started_core_s = 0.0, time.process_time()
    while (index := _take(taken)) < len(texts):
        audio_s += _seconds(voice, texts[index], index)
    spoken.put((audio_s, time.process_time() - started_core_s))


def _take(taken: Any) -> int:
    with taken.get_lock():
        taken.value += 1
        return int(taken.value) - 1


def _seconds(voice: Voice, text: str, seed: int) -> float:
    return sum(window.size for window in voice.speak(text, Delivery(seed))) / voice.sample_rate_hz


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
