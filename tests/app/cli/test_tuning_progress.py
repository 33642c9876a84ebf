"""app.cli.tuning_progress: what a terminal shows, and what a log gets."""

import subprocess
import sys

from tests.app.cli.running import at_a_terminal
from tests.conftest import ROOT

TELLING = """
import sys
from app.cli.tuning_progress import shown_tuning
with shown_tuning(600.0) as telling:
    telling.doing("2 x 4: warming [up]")
    telling.done("1 x 2: [bold]3.00[/bold] requests a second")
    sys.stdin.read(1)
"""


def test_a_terminal_gets_what_was_found_and_what_is_being_done_with_a_clock():
    shown = at_a_terminal(TELLING, until="0:00:0")

    assert "chorus: 1 x 2: [bold]3.00[/bold] requests a second\r\n" in shown
    assert "2 x 4: warming [up]" in shown


def test_elsewhere_what_was_found_stands_in_lines():
    done = subprocess.run([sys.executable, "-c", TELLING], cwd=ROOT, input="", capture_output=True, text=True, check=True)

    assert "chorus: 1 x 2: [bold]3.00[/bold] requests a second\n" == done.stderr
