"""app.cli.progress: slow work is drawn on a terminal only."""

import subprocess
import sys

from tests.app.cli.running import run_at_terminal
from tests.conftest import ROOT

WATCHING = """
import subprocess, sys
from app.cli.progress import watched_stages
child = '''
import sys
sys.stderr.write("chorus: exporting ...")
sys.stderr.flush()
sys.stdin.read(1)
sys.stderr.write(" 1.5 s\\\\nchorus: [bold]sealing[/bold] ... 0.1 s\\\\n")
'''
with watched_stages():
    subprocess.run([sys.executable, "-c", child], check=True)
sys.stderr.write("afterwards\\n")
"""

SLOW = """
import sys, threading
from app.cli import progress
progress.SLOW_S = float(sys.argv[1])
drawn = threading.Event()
def text():
    drawn.set()
    return "12.3 s of audio"
with progress.show_text(text):
    drawn.wait(float(sys.argv[2]))
with progress.show_bytes("a folder", 1_000_000, lambda: drawn.set() or 500_000):
    drawn.clear()
    drawn.wait(float(sys.argv[2]))
"""


def test_a_terminal_shows_finished_lines_and_the_unfinished_line_with_a_clock():
    shown = run_at_terminal(WATCHING, until="0:00:0")

    assert "chorus: exporting ... 1.5 s\r\n" in shown
    assert "chorus: [bold]sealing[/bold] ... 0.1 s\r\n" in shown
    assert shown.endswith("afterwards\r\n")


def test_without_a_terminal_lines_pass_unchanged():
    done = subprocess.run([sys.executable, "-c", WATCHING], cwd=ROOT, input="", capture_output=True, text=True, check=True)

    assert "chorus: exporting ... 1.5 s\nchorus: [bold]sealing[/bold] ... 0.1 s\nafterwards\n" == done.stderr


def test_slow_work_is_drawn():
    shown = run_at_terminal(SLOW, 0, 60)

    assert "12.3 s of audio" in shown
    assert "a folder" in shown
    assert "0.5/1.0 MB" in shown


TIMED = """
import sys, threading
from app.cli import progress
progress.SLOW_S = 0
drawn = threading.Event()
def done_s():
    drawn.set()
    return 45.0
with progress.show_time(lambda: "7 [bold]tests", 60.0, done_s):
    drawn.wait(60)
    print("a line meanwhile", file=sys.stderr, flush=True)
    drawn.clear()
    drawn.wait(60)
sys.stderr.write("afterwards\\n")
"""


def test_the_part_of_a_time_limit_is_drawn_below_the_lines_that_are_printed_meanwhile():
    shown = run_at_terminal(TIMED)

    assert "7 [bold]tests" in shown and "75%" in shown
    assert "a line meanwhile" in shown
    assert shown.endswith("afterwards\r\n")


def test_fast_work_is_not_drawn():
    assert "" == run_at_terminal(SLOW, 60, 0)
