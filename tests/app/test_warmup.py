"""app.warmup: what a worker does before its first request, with a catalogue that fails as planned and recorded pauses."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import WarmingUpError
from app.warmup import Progress, WarmUp
from loader.devices.accelerator import Accelerator
from loader.devices.disabled_flag import DisabledFlag
from loader.errors import DeviceError, IntegrityError
from loader.retry import Backoff
from loader.voices.catalog import Catalog
from tests.support.fake_device import FakeDevice, FullError


class Worker:
    """The callbacks of `WarmUp`: opens a catalogue or raises the given errors in turn; records pauses and stops."""

    def __init__(self, *errors, accelerator=None):
        self.errors = list(errors)
        self.accelerator = accelerator
        self.opened = 0
        self.pauses = []
        self.seen = []
        self.stops = 0
        self.warm_up = WarmUp(self.open, Backoff(), self.pause, self.stop, max_wait_s=60)

    def open(self):
        self.opened += 1
        if self.errors:
            raise self.errors.pop(0)
        return Catalog([], self.accelerator)

    def pause(self, pause_s):
        self.pauses.append(pause_s)
        self.seen.append(self.warm_up.progress)

    def stop(self):
        self.stops += 1

    def begin(self):
        self.warm_up.begin()
        if self.warm_up._thread:
            self.warm_up._thread.join(60)
        return self.warm_up


def device(tmp_path, plan=None):
    return Accelerator(FakeDevice(plan), DisabledFlag(tmp_path))


def test_nothing_is_done_if_the_master_opened_the_voices_and_there_is_no_device():
    worker = Worker()
    worker.warm_up.open()
    before = threading.active_count()

    assert worker.warm_up.is_ready
    assert worker.begin().is_ready
    assert (None, before) == (worker.warm_up._thread, threading.active_count())
    assert worker.warm_up.catalogue.voices == ()


def test_voices_that_the_master_left_closed_are_opened():
    worker = Worker()
    before = worker.warm_up.is_ready

    assert (False, True) == (before, worker.begin().is_ready)
    assert (1, [], 0) == (worker.opened, worker.pauses, worker.stops)


def test_a_request_waits_for_the_first_attempt():
    released, catalogue = threading.Event(), Catalog([])

    def open_when_released():
        assert released.wait(60)
        return catalogue

    warm_up = WarmUp(open_when_released)
    warm_up.begin()
    with ThreadPoolExecutor(1) as requests:
        answer = requests.submit(lambda: warm_up.catalogue)
        assert not answer.done()
        released.set()
        assert catalogue is answer.result(60)


def test_a_request_waits_for_a_limited_time():
    with pytest.raises(WarmingUpError, match="try again in 1 s") as raised:
        WarmUp(pytest.fail, max_wait_s=0).catalogue
    assert (503, 1) == (raised.value.status, raised.value.retry_after_s)


def test_the_device_is_entered_in_the_worker_only(tmp_path):
    worker = Worker(accelerator=device(tmp_path))
    worker.warm_up.open()
    before = worker.warm_up.is_ready, dict(worker.accelerator._device.calls)

    assert worker.begin().is_ready
    assert (False, {}) == before
    assert 1 == worker.accelerator._device.calls["open"]
    assert 1 == worker.opened


def test_failures_are_retried_with_growing_pauses_and_the_reason_is_shown():
    worker = Worker(OSError("no memory"), RuntimeError("still none"))

    assert worker.begin().is_ready
    assert [1.0, 2.0] == worker.pauses
    assert [Progress(2, 3, "OSError: no memory"), Progress(3, 3, "RuntimeError: still none")] == worker.seen


def test_requests_during_retries_get_retry_after():
    worker = Worker(OSError(), OSError())
    retries_s = []

    def pause(pause_s):
        with pytest.raises(WarmingUpError) as raised:
            worker.warm_up.catalogue
        retries_s.append(raised.value.retry_after_s)

    worker.warm_up._pause = pause
    worker.begin()

    assert [2, 4] == retries_s


def test_after_the_last_attempt_the_worker_pauses_and_ends_with_a_status_that_keeps_the_server_running():
    worker = Worker(*[OSError(f"number {number}") for number in (1, 2, 3)])

    assert not worker.begin().is_ready
    assert ([1.0, 2.0, 4.0], 75, 1) == (worker.pauses, worker.warm_up.exit_status, worker.stops)
    assert Progress(3, 3, "OSError: number 3") == worker.seen[-1]


def test_a_permanent_error_ends_the_worker_with_its_own_status_after_one_long_pause(tmp_path):
    worker = Worker(IntegrityError(tmp_path, "this", "that", "mend it"))

    assert not worker.begin().is_ready
    assert (1, [4.0], 65, 1) == (worker.opened, worker.pauses, worker.warm_up.exit_status, worker.stops)
    assert "expected this" in worker.warm_up.progress.reason


def test_entering_the_device_is_retried(tmp_path):
    worker = Worker(accelerator=device(tmp_path, {"open": ([1], DeviceError)}))
    worker.warm_up.open()

    assert worker.begin().is_ready
    assert ([1.0], 1) == (worker.pauses, worker.opened)


def test_a_full_device_is_left_and_the_worker_is_ready(tmp_path):
    worker = Worker(accelerator=device(tmp_path, {"open": ([1], FullError)}))
    worker.warm_up.open()

    assert worker.begin().is_ready
    assert [] == worker.pauses
    assert "open number 1" in DisabledFlag(tmp_path).read().why


def test_a_device_lost_while_warming_up_ends_the_worker_after_its_pauses(tmp_path):
    worker = Worker(accelerator=device(tmp_path))
    enter = worker.accelerator.enter
    worker.accelerator.enter = lambda: (enter(), worker.accelerator.poison("illegal memory access"))
    worker.warm_up.open()

    assert not worker.begin().is_ready
    assert ([1.0, 2.0, 4.0], 75, 1) == (worker.pauses, worker.warm_up.exit_status, worker.stops)


def test_a_device_lost_later_ends_the_worker_at_once(tmp_path):
    worker = Worker(accelerator=device(tmp_path))
    worker.warm_up.open()
    worker.begin()
    worker.accelerator.poison("illegal memory access")

    assert (1, 0) == (worker.stops, worker.warm_up.exit_status)
    assert worker.warm_up.is_ready


def test_a_worker_that_is_ending_stops_to_wait_and_to_retry():
    opened = []

    def fail():
        opened.append(warm_up)
        warm_up.abandon()
        raise OSError

    warm_up = WarmUp(fail, Backoff(first_pause_s=3600), stop=pytest.fail)
    warm_up.begin()
    warm_up._thread.join(60)

    assert not warm_up._thread.is_alive()
    assert (1, False, 0) == (len(opened), warm_up.is_ready, warm_up.exit_status)
