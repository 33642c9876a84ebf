"""loader.voices.opening: one voice at a time."""

import threading

from loader.voices import opening


def test_two_voices_are_not_opened_at_once(monkeypatch):
    """Coqui's classes are found by imports that two threads at once do wrong."""
    both_inside, met = threading.Barrier(2), []

    def opened(artifact, _espeak, _accelerator):
        try:
            both_inside.wait(timeout=0.5)
            met.append(artifact)
        except threading.BrokenBarrierError:
            pass

    monkeypatch.setattr(opening, "_opened", opened)
    threads = [threading.Thread(target=opening.open_parts, args=(name, None)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == met
