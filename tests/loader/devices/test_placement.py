"""loader.devices.placement: a result from the device or from the CPU."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from loader.devices.accelerator import Accelerator, State
from loader.devices.disabled_flag import DisabledFlag
from loader.devices.placement import Placement
from tests.support.fake_device import ALWAYS, Block, FakeDevice, FullError, LostError

WEIGHTS_BYTES = 400


class Model:
    """Doubles a number, on the CPU."""

    where = "cpu"

    def double(self, number, parts=1):
        return 2 * number, self.where


class Copy(Model):
    """Doubles a number on the device, allocating memory for its input and output in `parts` parts."""

    where = "device"

    def __init__(self, device):
        self.device = device
        self.weights = Block(device, WEIGHTS_BYTES)

    def double(self, number, parts=1):
        for _ in range(parts):
            taken = Block(self.device, number // parts)
            given = Block(self.device, number // parts)
            self.device.call("double")
            del taken, given
        return 2 * number, self.where


def copied(model, accelerator):
    def copy_to(model, name):
        assert "cpu:0" == name
        return Copy(accelerator._device)

    return Placement(model, accelerator, copy_to)


@pytest.fixture
def marker(tmp_path):
    return DisabledFlag(tmp_path)


@pytest.fixture
def placed(marker):
    """Place a model on an entered fake device with a plan of failures."""

    def place(plan=None, **options):
        accelerator = Accelerator(FakeDevice(plan, **options), marker)
        accelerator.enter()
        return copied(Model(), accelerator), accelerator

    return place


def double(number, parts=1):
    return lambda model: model.double(number, parts)


def test_without_an_accelerator_the_model_itself_is_used():
    assert (6, "cpu") == Placement(Model(), None, pytest.fail).run(double(3))


def test_before_the_device_is_entered_the_cpu_is_used(marker):
    accelerator = Accelerator(FakeDevice(), marker)

    assert (6, "cpu") == copied(Model(), accelerator).run(double(3))
    assert {} == accelerator._device.calls


def test_the_model_is_copied_once_and_used_on_the_device(placed):
    placement, accelerator = placed()

    assert [(6, "device"), (8, "device")] == [placement.run(double(3)), placement.run(double(4))]
    assert WEIGHTS_BYTES == accelerator._device.used_bytes


def test_work_that_does_not_fit_is_done_in_smaller_parts_on_the_device(placed, marker):
    placement, accelerator = placed()

    assert (1000, "device") == placement.run(double(500), double(500, parts=2))
    assert (State.IN_USE, None, 1) == (accelerator.state, marker.read(), accelerator._device.calls["release"])
    assert (6, "device") == placement.run(double(3))


def test_without_a_smaller_alternative_the_same_work_is_tried_once_more(placed, marker):
    placement, accelerator = placed({"double": ([1], FullError)})

    assert (6, "device") == placement.run(double(3))
    assert 2 == accelerator._device.calls["double"]
    assert marker.read() is None


def test_work_that_does_not_fit_twice_is_done_on_the_cpu_and_the_device_is_emptied(placed, marker):
    placement, accelerator = placed()

    assert (1800, "cpu") == placement.run(double(900), double(900, parts=1))
    assert State.FALLEN_BACK is accelerator.state
    assert "900 bytes wanted, 600 left" in marker.read().why
    assert (0, 0) == (accelerator._device.used_bytes, accelerator._device.cached_bytes)
    assert (6, "cpu") == placement.run(double(3))


def test_memory_of_a_failed_attempt_is_freed_before_the_next(placed):
    """400 bytes of weights and 450 of input fit, 450 of output do not; the input must be freed before the halves are tried."""
    placement, accelerator = placed()
    gc.disable()
    try:
        result = placement.run(double(450), double(450, parts=2))
    finally:
        gc.enable()

    assert (900, "device") == result


def test_a_model_that_does_not_fit_at_all_stays_on_the_cpu(placed, marker):
    placement, accelerator = placed(capacity_bytes=WEIGHTS_BYTES - 1)

    assert (6, "cpu") == placement.run(double(3))
    assert (State.FALLEN_BACK, WEIGHTS_BYTES - 1) == (accelerator.state, marker.read().free_bytes)


def test_if_one_model_falls_back_all_leave_the_device(placed):
    first, accelerator = placed()
    second = copied(Model(), accelerator)
    second.run(double(3))
    first.run(double(300))

    assert 0 == accelerator._device.used_bytes
    assert (6, "cpu") == second.run(double(3))


def test_on_a_poisoned_device_the_cpu_finishes_the_work_and_no_marker_is_written(placed, marker):
    placement, accelerator = placed({"double": ([2], LostError)})

    assert [(2, "device"), (4, "cpu"), (6, "cpu")] == [placement.run(double(number)) for number in (1, 2, 3)]
    assert (True, None) == (accelerator.wants_replacement, marker.read())
    assert 2 == accelerator._device.calls["double"]


def test_a_device_poisoned_by_the_smaller_attempt_is_poisoned(placed, marker):
    placement, accelerator = placed({"double": ([2], LostError)})

    assert (1000, "cpu") == placement.run(double(500), double(500, parts=2))
    assert (True, None) == (accelerator.wants_replacement, marker.read())


def test_errors_of_the_work_itself_are_raised(placed, marker):
    placement, accelerator = placed({"double": ([1], ZeroDivisionError)})

    with pytest.raises(ZeroDivisionError):
        placement.run(double(3))
    assert (State.IN_USE, None, 0) == (accelerator.state, marker.read(), accelerator._using)


def test_errors_of_the_cpu_are_raised_too(placed):
    placement, accelerator = placed({"double": (ALWAYS, FullError)})

    def work(model):
        if model.where == "cpu":
            raise MemoryError
        return model.double(3)

    with pytest.raises(MemoryError):
        placement.run(work)
    assert 0 == accelerator._using


def test_after_a_reset_the_model_is_copied_again(placed, marker):
    placement, accelerator = placed({"double": ([1, 2], FullError)})
    before = placement.run(double(3))
    marker.reset()

    assert [(6, "cpu"), (6, "device")] == [before, placement.run(double(3))]
    assert WEIGHTS_BYTES == accelerator._device.used_bytes


def test_deleting_a_model_frees_its_copy(placed):
    placement, accelerator = placed()
    placement.run(double(3))
    del placement
    gc.collect()

    assert 0 == accelerator._device.used_bytes


def test_running_work_finishes_while_another_thread_falls_back(placed):
    """One thread works on the device while another finds it full."""
    placement, accelerator = placed()
    inside, go_on = threading.Event(), threading.Event()

    def slow(model):
        result = model.double(3)
        inside.set()
        assert go_on.wait(60)
        return result if model.where == "cpu" else model.double(3)

    with ThreadPoolExecutor(1) as other:
        working = other.submit(placement.run, slow)
        inside.wait(60)
        fallen = placement.run(double(400))
        held = accelerator._device.used_bytes
        go_on.set()
        finished = working.result(60)
    del working

    assert ((800, "cpu"), (6, "device")) == (fallen, finished)
    assert WEIGHTS_BYTES == held
    gc.collect()
    assert (0, 0) == (accelerator._device.used_bytes, accelerator._device.cached_bytes)


def test_a_copy_made_while_another_thread_falls_back_is_dropped(placed):
    placement, accelerator = placed()
    copying, go_on = threading.Event(), threading.Event()

    def copy_to(model, name):
        copying.set()
        assert go_on.wait(60)
        return Copy(accelerator._device)

    slow = Placement(Model(), accelerator, copy_to)
    with ThreadPoolExecutor(2) as others:
        first = others.submit(slow.run, double(3))
        copying.wait(60)
        falling = others.submit(placement.run, double(400))
        while accelerator.state is State.IN_USE:
            pass
        go_on.set()
        assert (6, "device") == first.result(60)
        assert (800, "cpu") == falling.result(60)
    del first, falling

    gc.collect()
    assert 0 == accelerator._device.used_bytes
    assert (6, "cpu") == slow.run(double(3))


def test_nothing_is_copied_to_a_device_that_was_just_left(marker):
    class LeftAtOnce(Accelerator):
        def begin_use(self):
            may = super().begin_use()
            self.fall_back("full, found another thread")
            return may

    accelerator = LeftAtOnce(FakeDevice(), marker)
    accelerator.enter()
    placement = copied(Model(), accelerator)

    assert (6, "cpu") == placement.run(double(3))
    assert (0, 0) == (accelerator._device.calls["allocate"], accelerator._using)


def test_all_of_many_threads_get_a_result_if_the_device_fills_up(placed):
    placement, accelerator = placed(capacity_bytes=WEIGHTS_BYTES + 300)
    barrier = threading.Barrier(8)

    def use(number):
        barrier.wait()
        return [placement.run(double(number))[0] for _ in range(20)]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(use, range(100, 108)))

    assert [[2 * number] * 20 for number in range(100, 108)] == results
    assert 0 == accelerator._using
