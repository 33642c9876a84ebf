"""The figures of latency: which way a ratio goes, and what it is held to."""

from ops.benchmarks import latency_load, latency_texts
from ops.benchmarks.latency_load import Throughput
from ops.benchmarks.latency_texts import Heard
from ops.benchmarks.report import Target

OURS, UNSTREAMED = Heard(0.1, 0.5, 9.0, 0.0), Heard(0.6, 0.6, 9.0, 0.0)
COQUI, PIPER = Heard(1.0, 1.0, 9.5, 0.0), Heard(0.5, 0.8, 8.5, 0.0)
SIDES = {"ours": OURS, "ours unstreamed": UNSTREAMED, "coqui": COQUI, "piper": PIPER}


def by_name(figures):
    return {each.name: each for each in figures}


def test_ours_is_put_over_theirs_and_held_to_the_targets_of_30_words():
    found = by_name(latency_texts._embedded_figures([{5: SIDES, 30: SIDES}]))
    shown = {name: (round(each.median, 6), each.target) for name, each in found.items() if "/" in name and "30" in name}
    assert shown == {
        "30 words, ours / coqui, first audio": (0.1, Target("<=", 0.15)),
        "30 words, ours / piper, first audio": (0.2, Target("<=", 0.3)),
        "30 words, ours / coqui, whole": (0.5, Target("<=", 0.5)),
        "30 words, ours / piper, whole": (0.625, Target("<=", 0.75)),
    }
    assert all(found[name.replace("30", "5")].target is None for name in shown)


def test_times_are_in_milliseconds():
    found = by_name(latency_texts._embedded_figures([{30: SIDES}]))
    assert (100, "ms") == (found["30 words, ours, first audio"].median, found["30 words, ours, first audio"].unit)
    assert 600 == found["30 words, ours unstreamed, whole"].median


def test_a_ratio_is_taken_round_by_round():
    slow = {**SIDES, "ours": Heard(0.2, 1.0, 9.0, 0.0)}
    found = by_name(latency_texts._embedded_figures([{30: SIDES}, {30: slow}]))
    assert (0.1, 0.2) == found["30 words, ours / coqui, first audio"].values


def test_the_large_voice_is_held_to_a_fifth_of_its_own_whole():
    ratio = latency_texts._large_figures([{30: {"ours": OURS, "ours unstreamed": UNSTREAMED}}])[-1]
    assert (0.2, Target("<=", 0.2)) == (ratio.median, ratio.target)


def test_under_load_parallel_windows_are_put_over_one_after_the_other():
    ratio = latency_load._figures([{True: Throughput(24.0, 12.0), False: Throughput(25.0, 12.5)}])[-1]
    assert (0.96, False) == (ratio.median, ratio.target.met_by(ratio.median))
