"""Load: clients that send the next request as soon as one is answered, until the context ends."""

import threading
from collections.abc import Callable, Iterable
from typing import Any


class Load:
    """A client a seed, each in a thread. `answers` has the status, the seed and the body of each, and its release.

    The status of a request without an answer is the name of the error.
    """

    def __init__(self, speak: Callable[[int], Any], seeds: Iterable[int], pause_s: float = 0.0) -> None:
        """Take what sends one request with a seed and returns its answer, and the pause between two requests of a client."""
        self.answers: list[tuple[int | str, int, bytes, str | None]] = []
        self._speak, self._pause_s, self._over = speak, pause_s, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in seeds]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        while not self._over.wait(self._pause_s):
            try:
                answer = self._speak(seed)
                self.answers.append((answer.status, seed, answer.body, answer.headers.get("X-Release")))
            except Exception as error:  # a lost answer, of whatever kind, is what the tests look for
                self.answers.append((type(error).__name__, seed, b"", None))


def load_on(server: Any, clients: int = 4) -> Load:
    """Return clients of a server of the harness."""
    return Load(lambda seed: server.speak("Hello there.", seed=seed), range(clients))
