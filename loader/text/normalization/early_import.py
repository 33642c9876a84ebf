"""Early import: the libraries of the configured languages, in the master and beside other work, so that a fork shares them.

The import takes 0.09 s of a core. Verifying artifacts and opening sessions holds no lock of Python for 0.13 s, with a voice of
80 million parameters. The first number of a language compiles its patterns, 0.1 s more and 3 MB: done before the fork too, they
came later than everything else, and every start took 0.1 s longer (2026-11-30).
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from loader.interrupts import deferred_interrupts

log = logging.getLogger("chorus.loader")

#: Each file that the other thread opens waits for Python's lock that long: opening a voice took 0.29 s, and 0.38 s with the
#: usual 5 ms (2026-11-30).
_SWITCH_S = 0.0002
#: A thread that was joined leaves the process a little later.
_MAX_LEAVE_S, _POLL_S = 5.0, 0.001


@contextmanager
def importing(languages: Sequence[str]) -> Iterator[None]:
    """Import the libraries in a thread meanwhile. Afterwards it has left the process, which can fork.

    Args:
        languages: without their regions: `en`. None of them, no thread.
    """
    if not languages:
        yield
        return
    thread = threading.Thread(target=_import_all, args=[languages], name="normalization", daemon=True)
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    thread.start()
    is_interrupted = False
    with deferred_interrupts():
        try:
            yield
        except KeyboardInterrupt:
            # The second Ctrl-C: it may have left the lock of imports held, for which the thread would wait for ever.
            is_interrupted = True
            raise
        finally:
            if not is_interrupted:
                _wait_until_gone(thread)
            sys.setswitchinterval(usual_s)


def _import_all(languages: Sequence[str]) -> None:
    started_s = time.monotonic()
    # Not before: 0.03 s of every start (2026-11-30).
    from loader.text.normalization.library import import_library
    from loader.text.normalization.normalizer import normalizer_of

    for language in languages:
        normalizer_of(language)
        try:
            import_library(language)
        except Exception as error:  # of the libraries' own; the first text tries again
            log.info("text normalization of %r has no library: %s: %s", language, type(error).__name__, error)
    log.info("text normalization of %s imported in %.3f s", ", ".join(languages), time.monotonic() - started_s)


def _wait_until_gone(thread: threading.Thread) -> None:
    thread.join()
    ends_s = time.monotonic() + _MAX_LEAVE_S
    while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < ends_s:
        time.sleep(_POLL_S)
