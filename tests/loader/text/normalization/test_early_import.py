"""loader.text.normalization.early_import: what a fork shares, and that the thread is gone before it."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from loader.text.normalization.early_import import importing

with importing(sys.argv[1:]):
    pass
assert 1 == len(os.listdir("/proc/self/task"))
print(*[name for name in ("spokenform.structured", "wetext") if name in sys.modules])
"""


def imported_early(*languages):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *languages], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_library_of_the_language_is_imported_and_the_thread_has_left_the_process():
    assert ["spokenform.structured"] == imported_early("en")


def test_chinese_has_a_library_of_its_own():
    assert ["wetext"] == imported_early("zh")


@pytest.mark.parametrize("languages", [[], ["xx"]])
def test_a_language_without_a_library_and_no_language_do_no_harm(languages):
    imported_early(*languages)


def test_the_thread_has_left_the_process_after_an_error_too():
    program = (
        "import os, sys; from loader.text.normalization.early_import import importing\n"
        "try:\n with importing(['en']): raise ValueError\n"
        "except ValueError: print(len(os.listdir('/proc/self/task')))"
    )

    assert "1" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_an_interrupt_during_an_import_does_not_wait_for_the_thread():
    program = (
        "import _imp, sys; from loader.text.normalization.early_import import importing\n"
        "try:\n with importing(['en']): _imp.acquire_lock(); raise KeyboardInterrupt\n"
        "except KeyboardInterrupt: sys.exit(130)"
    )

    assert 130 == subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode
