"""app.cli.interruption: Ctrl-C ends a command also if the exception is lost on its way."""

import signal

import pytest

from app.cli.interruption import interruptible, raise_if_interrupted

pytestmark = pytest.mark.usefixtures("default_interrupt")


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_an_interruption():
    with pytest.raises(KeyboardInterrupt), interruptible():
        press_ctrl_c()


def test_an_error_made_of_an_interruption_is_one():
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        try:
            press_ctrl_c()
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    assert "initialization failed" == str(caught.value.__cause__)


def test_an_error_without_ctrl_c_stays_what_it_is():
    with pytest.raises(ImportError, match="no such module"), interruptible():
        raise ImportError("no such module")


def test_a_lost_interruption_is_raised_by_the_next_step():
    with pytest.raises(KeyboardInterrupt), interruptible():
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
        raise_if_interrupted()


def test_steps_without_ctrl_c_raise_nothing():
    with interruptible():
        raise_if_interrupted()


def test_an_ignored_ctrl_c_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        press_ctrl_c()
        raise_if_interrupted()
