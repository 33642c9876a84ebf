"""app.warmup: what a worker does before its first request, with a catalogue that fails by plan and a pause that remembers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import WarmingUpError
from app.warmup import Progress, WarmUp
from loader.devices.accelerator import Accelerator
from loader.devices.marker import Marker
from loader.errors import DeviceError, IntegrityError
from loader.retry import Backoff
from loader.voices.catalog import Catalog
from tests.support.fake_device import FakeDevice, FullError


class Worker:
    """What `WarmUp` is given: opens a catalogue, or fails with the errors it has; remembers pauses and its end."""

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


def entering(tmp_path, plan=None):
    return Accelerator(FakeDevice(plan), Marker(tmp_path))


def test_where_the_master_opened_the_voices_and_there_is_no_device_there_is_nothing_to_do():
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


def test_a_request_waits_for_the_first_try():
    asked, catalogue = threading.Event(), Catalog([])

    def open_when_asked():
        assert asked.wait(60)
        return catalogue

    warm_up = WarmUp(open_when_asked)
    warm_up.begin()
    with ThreadPoolExecutor(1) as requests:
        answer = requests.submit(lambda: warm_up.catalogue)
        assert not answer.done()
        asked.set()
        assert catalogue is answer.result(60)


def test_a_request_waits_only_so_long():
    with pytest.raises(WarmingUpError, match="try again in 1 s") as raised:
        WarmUp(pytest.fail, max_wait_s=0).catalogue
    assert (503, 1) == (raised.value.status, raised.value.retry_after_s)


def test_the_device_is_entered_in_the_worker_and_not_before(tmp_path):
    worker = Worker(accelerator=entering(tmp_path))
    worker.warm_up.open()
    before = worker.warm_up.is_ready, dict(worker.accelerator._device.calls)

    assert worker.begin().is_ready
    assert (False, {}) == before
    assert 1 == worker.accelerator._device.calls["open"]
    assert 1 == worker.opened


def test_what_fails_is_tried_again_with_ever_longer_pauses_and_says_why():
    worker = Worker(OSError("no memory"), RuntimeError("still none"))

    assert worker.begin().is_ready
    assert [1.0, 2.0] == worker.pauses
    assert [Progress(2, 3, "OSError: no memory"), Progress(3, 3, "RuntimeError: still none")] == worker.seen


def test_while_it_is_tried_again_requests_are_told_when_to_come_back():
    worker = Worker(OSError(), OSError())
    told = []

    def pause(pause_s):
        with pytest.raises(WarmingUpError) as raised:
            worker.warm_up.catalogue
        told.append(raised.value.retry_after_s)

    worker.warm_up._pause = pause
    worker.begin()

    assert [2, 4] == told


def test_after_the_last_try_it_waits_and_ends_with_a_status_that_leaves_the_others_alone():
    worker = Worker(*[OSError(f"number {number}") for number in (1, 2, 3)])

    assert not worker.begin().is_ready
    assert ([1.0, 2.0, 4.0], 75, 1) == (worker.pauses, worker.warm_up.exit_status, worker.stops)
    assert Progress(3, 3, "OSError: number 3") == worker.seen[-1]


def test_what_no_retry_could_cure_ends_it_with_its_own_status_after_one_long_pause(tmp_path):
    worker = Worker(IntegrityError(tmp_path, "this", "that", "mend it"))

    assert not worker.begin().is_ready
    assert (1, [4.0], 65, 1) == (worker.opened, worker.pauses, worker.warm_up.exit_status, worker.stops)
    assert "expected this" in worker.warm_up.progress.reason


def test_a_device_that_cannot_be_entered_at_first_is_tried_again(tmp_path):
    worker = Worker(accelerator=entering(tmp_path, {"open": ([1], DeviceError)}))
    worker.warm_up.open()

    assert worker.begin().is_ready
    assert ([1.0], 1) == (worker.pauses, worker.opened)


def test_a_device_that_is_full_is_left_and_the_worker_is_ready(tmp_path):
    worker = Worker(accelerator=entering(tmp_path, {"open": ([1], FullError)}))
    worker.warm_up.open()

    assert worker.begin().is_ready
    assert [] == worker.pauses
    assert "open number 1" in Marker(tmp_path).read().why


def test_a_device_lost_while_warming_up_ends_the_worker_only_after_its_pauses(tmp_path):
    worker = Worker(accelerator=entering(tmp_path))
    enter = worker.accelerator.enter
    worker.accelerator.enter = lambda: (enter(), worker.accelerator.poison("illegal memory access"))
    worker.warm_up.open()

    assert not worker.begin().is_ready
    assert ([1.0, 2.0, 4.0], 75, 1) == (worker.pauses, worker.warm_up.exit_status, worker.stops)


def test_a_device_lost_later_has_the_worker_replaced_at_once(tmp_path):
    worker = Worker(accelerator=entering(tmp_path))
    worker.warm_up.open()
    worker.begin()
    worker.accelerator.poison("illegal memory access")

    assert (1, 0) == (worker.stops, worker.warm_up.exit_status)
    assert worker.warm_up.is_ready


def test_a_worker_that_ends_meanwhile_waits_no_longer_and_tries_no_more():
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
