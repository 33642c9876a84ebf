"""What is made of measured hangs."""

import re

from ops.benchmarks.hang import WAYS, Hang, Round
from ops.benchmarks.processes import ROOT


def test_every_way_to_hang_is_measured():
    voice = (ROOT / "tests" / "support" / "hanging_voice.py").read_text(encoding="utf-8")
    assert list(WAYS) == re.findall(r"^def (hang_\w+)", voice, re.MULTILINE)


def test_of_several_hangs_of_a_way_the_slowest_counts_at_each_moment():
    hangs = (Hang(dumped_s=0.1, ended_s=0.9, ready_s=1.0), Hang(dumped_s=0.2, ended_s=0.3, ready_s=0.4))
    measured = Round({"asleep": hangs, "in Python": (Hang(9.0, 9.0, 9.0),)}, ended_besides=0, uncounted=0)
    assert [0.2, 0.9, 1.0] == [measured.slowest("asleep", moment) for moment in ("dumped_s", "ended_s", "ready_s")]
