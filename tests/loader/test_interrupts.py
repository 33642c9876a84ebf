"""loader.interrupts: Ctrl-C waits for the end of what would lose it."""

import signal
import subprocess
import sys
import threading

import pytest

from loader.interrupts import deferred_interrupts
from tests.loader.children import ROOT, TIMEOUT_S

pytestmark = pytest.mark.usefixtures("default_interrupt")


def test_ctrl_c_is_raised_after_the_block():
    steps = []

    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        steps.append("block")

    assert ["block"] == steps
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_a_second_ctrl_c_does_not_wait():
    steps = []

    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        steps.append("first")
        signal.raise_signal(signal.SIGINT)
        steps.append("second")

    assert ["first"] == steps


def test_without_ctrl_c_nothing_is_raised():
    with deferred_interrupts():
        pass


def test_an_ignored_ctrl_c_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with deferred_interrupts():
        signal.raise_signal(signal.SIGINT)


def test_other_threads_leave_the_handler():
    """Only the main thread can set it."""
    handlers = []

    def look():
        with deferred_interrupts():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert [signal.default_int_handler] == handlers


def test_ctrl_c_while_onnxruntime_starts_waits_for_its_native_module():
    done = subprocess.run([sys.executable, "-c", """
import signal, sys
from loader.engines.onnx import import_onnxruntime

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name.endswith("onnxruntime_pybind11_state"):
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
try:
    import_onnxruntime()
except KeyboardInterrupt:
    print("interrupted after", "onnxruntime.capi.onnxruntime_pybind11_state" in sys.modules)
"""], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # fmt: skip

    assert ("interrupted after True\n", "") == (done.stdout, done.stderr)
