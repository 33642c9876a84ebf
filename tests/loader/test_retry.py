"""loader.retry: attempts with growing pauses, on a pause that only records."""

import pytest

from loader.errors import DeviceError, IntegrityError, WarmUpError
from loader.retry import Backoff, format_error, with_retries


class Failing:
    """Raises its errors in turn, then returns the number of calls."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def test_work_that_succeeds_is_done_once():
    pauses = []

    assert 1 == with_retries(Failing(), Backoff(), pauses.append)
    assert [] == pauses


def test_pauses_double_and_each_failure_is_reported():
    pauses, reported = [], []
    work = Failing(OSError("one"), DeviceError("two"), ValueError("three"))

    result = with_retries(work, Backoff(4, 0.5), pauses.append, lambda tried, error: reported.append((tried, str(error))))

    assert 4 == result
    assert [0.5, 1.0, 2.0] == pauses
    assert [(1, "one"), (2, "two"), (3, "three")] == reported


def test_after_the_last_attempt_the_error_has_the_count_and_the_reason():
    pauses, reported = [], []
    last = RuntimeError("no  such\ndriver")

    with pytest.raises(WarmUpError, match="^failed 3 times, the last time with: RuntimeError: no such driver$") as raised:
        with_retries(Failing(OSError(), OSError(), last), Backoff(), pauses.append, lambda *each: reported.append(each[0]))

    assert last is raised.value.__cause__
    assert 75 == raised.value.exit_status
    assert [1.0, 2.0] == pauses
    assert [1, 2, 3] == reported


def test_a_permanent_error_is_not_retried(tmp_path):
    work = Failing(IntegrityError(tmp_path, "this", "that", "mend it"))

    with pytest.raises(IntegrityError):
        with_retries(work, Backoff(), pytest.fail)

    assert 1 == work.calls


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_a_request_to_end_the_process_is_not_retried(error):
    with pytest.raises(type(error)):
        with_retries(Failing(error), Backoff(), pytest.fail)


def test_other_errors_are_described_with_their_class():
    assert "a b" == format_error(DeviceError("a\n b"))
    assert "KeyError: 'a'" == format_error(KeyError("a"))
