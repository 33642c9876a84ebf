"""loader.devices.accelerator: entering, leaving and losing a device, with a device that fails as planned."""

import os
import threading

import pytest

from loader.devices.accelerator import MAX_REFUSALS, Accelerator, State
from loader.devices.disabled_flag import DisabledFlag
from loader.errors import DeviceError, NoDeviceError
from tests.support.fake_device import ALWAYS, FakeDevice, FullError, LostError


@pytest.fixture
def marker(tmp_path):
    return DisabledFlag(tmp_path)


class Copies:
    """Stands in for a placement, and counts how often its copy was dropped."""

    dropped = 0

    def drop(self):
        self.dropped += 1


def entered(marker, device):
    accelerator = Accelerator(device, marker)
    accelerator.enter()
    return accelerator


def test_the_device_is_not_used_before_it_is_entered(marker):
    accelerator = Accelerator(FakeDevice(), marker)

    assert not accelerator.begin_use()
    assert State.NOT_ENTERED is accelerator.state
    assert {} == accelerator._device.calls


def test_an_entered_device_can_be_used_and_is_opened_once(marker):
    accelerator = entered(marker, FakeDevice())
    accelerator.enter()

    assert accelerator.begin_use()
    assert 1 == accelerator._device.calls["open"]


def test_a_forked_process_has_not_entered_the_device(marker):
    accelerator = entered(marker, FakeDevice())
    child = os.fork()
    if child == 0:
        os._exit(0 if accelerator.state is State.NOT_ENTERED and not accelerator.begin_use() else 1)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert accelerator.begin_use()


def test_with_a_marker_the_device_is_not_called(marker):
    marker.write("full", "cuda:0", 1)
    accelerator = entered(marker, FakeDevice())

    assert not accelerator.begin_use()
    assert State.FALLEN_BACK is accelerator.state
    assert "full" == accelerator.fallback.why
    assert {} == accelerator._device.calls


def test_a_device_that_is_full_at_opening_is_left_with_a_marker(marker, tmp_path):
    accelerator = entered(DisabledFlag(tmp_path, clock=lambda: 5.0), FakeDevice({"open": ([1], FullError)}))

    fallback = DisabledFlag(tmp_path).read()
    assert State.FALLEN_BACK is accelerator.state
    assert ("FullError: open number 1 fails by plan", "cpu:0", 5.0) == (fallback.why, fallback.device, fallback.at_s)
    assert fallback.free_bytes is None


def test_without_a_usable_device_this_process_speaks_on_the_cpu_and_logs_the_reason(marker, tmp_path, caplog):
    accelerator = entered(marker, FakeDevice({"open": (ALWAYS, NoDeviceError)}))

    assert State.FALLEN_BACK is accelerator.state
    assert not accelerator.begin_use()
    assert ("open number 1 fails by plan", "cpu:0") == (accelerator.fallback.why, accelerator.fallback.device)
    assert "device cpu:0 is not usable, the CPU is used instead: open number 1 fails by plan" in caplog.text
    # A restarted server tries again: there is no marker.
    assert DisabledFlag(tmp_path).read() is None


def test_a_device_that_cannot_be_opened_repeatedly_is_left_for_the_cpu(marker):
    accelerator = Accelerator(FakeDevice({"open": (ALWAYS, DeviceError)}), marker)
    for _ in range(MAX_REFUSALS):
        with pytest.raises(DeviceError):
            accelerator.enter()
    accelerator.enter()

    assert State.FALLEN_BACK is accelerator.state
    assert f"DeviceError: open number {MAX_REFUSALS + 1}" not in accelerator.fallback.why
    assert f"open number {MAX_REFUSALS + 1}" in accelerator.fallback.why


def test_one_process_logs_that_the_device_is_not_usable(marker, caplog):
    accelerator = Accelerator(FakeDevice({"open": (ALWAYS, NoDeviceError)}), marker)
    child = os.fork()
    if child == 0:
        accelerator.enter()
        os._exit("is not usable" not in caplog.text)
    in_child = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    accelerator.enter()

    assert 0 == in_child
    assert accelerator.fallback is not None
    assert "is not usable" not in caplog.text


def test_an_unusable_device_is_tried_again_after_a_time(tmp_path):
    now_s = [100.0]
    accelerator = entered(DisabledFlag(tmp_path, 60, lambda: now_s[0]), FakeDevice({"open": ([1], NoDeviceError)}))
    before = accelerator.begin_use()
    now_s[0] = 160.0

    assert (False, True) == (before, accelerator.begin_use())


def test_a_device_that_cannot_be_opened_raises_and_can_be_entered_again(marker):
    accelerator = Accelerator(FakeDevice({"open": ([1], OSError)}), marker)

    with pytest.raises(OSError):
        accelerator.enter()
    assert (State.NOT_ENTERED, None) == (accelerator.state, marker.read())
    accelerator.enter()
    assert State.IN_USE is accelerator.state


def test_falling_back_drops_copies_frees_memory_and_writes_the_marker(marker):
    accelerator, copies = entered(marker, FakeDevice(capacity_bytes=77)), Copies()
    accelerator.adopt(copies)
    accelerator.fall_back("full")
    accelerator.fall_back("full once more")

    assert not accelerator.begin_use()
    assert ("full", "cpu:0", 77) == (marker.read().why, marker.read().device, marker.read().free_bytes)
    assert (1, 1) == (copies.dropped, accelerator._device.calls["release"])


def test_other_processes_leave_the_device_before_their_next_use(marker, tmp_path):
    accelerator, copies = entered(marker, FakeDevice()), Copies()
    accelerator.adopt(copies)
    child = os.fork()
    if child == 0:
        DisabledFlag(tmp_path).write("full over there", "cuda:0", 3)
        os._exit(0)
    os.waitpid(child, 0)

    assert not accelerator.begin_use()
    assert 1 == copies.dropped
    assert State.FALLEN_BACK is accelerator.state
    assert "full over there" == marker.read().why


def test_after_a_reset_the_device_is_used_again(marker):
    accelerator = entered(marker, FakeDevice())
    accelerator.fall_back("full")
    marker.reset()

    assert accelerator.begin_use()
    assert State.IN_USE is accelerator.state


def test_after_its_expiry_the_device_is_used_again(tmp_path):
    now_s = [100.0]
    accelerator = entered(DisabledFlag(tmp_path, 60, lambda: now_s[0]), FakeDevice())
    accelerator.fall_back("full")
    now_s[0] = 159.0
    before = accelerator.begin_use()
    now_s[0] = 160.0

    assert not before
    assert accelerator.begin_use()


@pytest.mark.parametrize("error", [FullError, OSError, LostError])
def test_a_device_that_cannot_be_entered_again_is_left_without_an_error(marker, error):
    accelerator = entered(marker, FakeDevice({"open": ([2], error)}))
    accelerator.fall_back("full")
    marker.reset()

    assert not accelerator.begin_use()
    assert "open number 2 fails by plan" in marker.read().why


def test_memory_is_freed_by_the_last_user(marker):
    accelerator = entered(marker, FakeDevice())
    accelerator.begin_use()
    accelerator.begin_use()
    accelerator.fall_back("full")
    released = []
    for _ in range(2):
        accelerator.end_use()
        released.append(accelerator._device.calls["release"])

    assert [1, 2] == released


def test_a_poisoned_device_is_not_used_again_and_the_process_asks_for_replacement(marker):
    accelerator, copies, called = entered(marker, FakeDevice()), Copies(), []
    accelerator.adopt(copies)
    accelerator.when_poisoned(lambda: called.append(1))
    before = dict(accelerator._device.calls)
    wanted = accelerator.wants_replacement
    for _ in range(2):
        accelerator.poison("illegal memory access")
        accelerator.fall_back("too late")
        accelerator.enter()

    assert (False, True) == (wanted, accelerator.wants_replacement)
    assert not accelerator.begin_use()
    assert [1] == called
    assert marker.read() is None
    assert (0, before["open"]) == (copies.dropped, accelerator._device.calls["open"])


def test_memory_that_cannot_be_freed_is_not_an_error(marker, caplog):
    accelerator = entered(marker, FakeDevice({"release": (ALWAYS, LostError)}))
    accelerator.fall_back("full")

    assert "cached memory was not freed" in caplog.text
    assert "full" == marker.read().why


def test_many_threads_fall_back_together(marker):
    accelerator, barrier = entered(marker, FakeDevice()), threading.Barrier(8)

    def use():
        accelerator.begin_use()
        barrier.wait()
        accelerator.fall_back(threading.current_thread().name)
        accelerator.end_use()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert State.FALLEN_BACK is accelerator.state
    assert 0 == accelerator._using
    assert 1 == accelerator._device.calls["open"]


def test_the_memory_held_is_known_only_while_the_device_is_in_use(marker):
    device = FakeDevice(capacity_bytes=100)
    accelerator = entered(marker, device)
    device.used_bytes = 33
    assert 33 == accelerator.held_bytes()
    accelerator.fall_back("full")

    assert accelerator.held_bytes() is None
    assert 1 == device.calls["held_bytes"]
